// Room made ahead of need. A run goes to NVMe as a whole and head first, up to kRunBlocksMax
// blocks, and copying them in one go would hold up every get that waits meanwhile. So each put
// copies a few, and what has been copied leaves DRAM before anybody asks for its slot.
#include <algorithm>

#include "cache/shard_impl.h"

namespace cairn {
namespace {

constexpr uint32_t kCopiesPerCall =
    2;  // a put frees one slot in the long run: twice that catches up
constexpr uint32_t kVisitsPerCall = 8;     // of victims that need no copy
constexpr uint64_t kReserveDivisor = 128;  // of all slots, at most this part is kept free

}  // namespace

uint32_t ShardImpl::SlotsAhead(SizeClass size_class) const {
  const uint64_t slots = pool_.slab_count() * (pool_.slab_bytes() / pool_.SlotBytes(size_class));
  return static_cast<uint32_t>(std::min<uint64_t>(kRunBlocksMax, slots / kReserveDivisor));
}

void ShardImpl::EvictAhead(SizeClass size_class) {
  if (sink_ == nullptr || !has_flash()) return;
  const uint32_t wanted = SlotsAhead(size_class);
  for (uint32_t visit = 0; visit < kVisitsPerCall; ++visit) {
    if (pool_.HasFree(size_class, wanted) || TakeColdSlab(size_class)) return;
    const EntryId victim = policy_->Victim(static_cast<PolicyGroup>(size_class), NowMs());
    if (victim == kNoEntry) return;
    if (!OnFlash(victim) && Admitted(victim) && !DemoteSome(victim, kCopiesPerCall)) return;
    Evict(victim);
  }
}

// Asks once for each victim, however many calls its run takes.
bool ShardImpl::Admitted(EntryId victim) {
  if (asked_ != victim) {
    asked_ = victim;
    admitted_ = sink_->WantsRun(Describe(Ref(victim)));
  }
  return admitted_;
}

// Heads first, so that what is on NVMe can be used after any crash: a tail there always has its
// head there. True: nothing is left to be copied, or NVMe takes no more.
bool ShardImpl::DemoteSome(EntryId victim, uint32_t copies_max) {
  for (uint32_t copies = 0; copies < copies_max; ++copies) {
    EntryId head = victim;
    for (EntryId id = head; id != kNoEntry && !OnFlash(id);
         id = static_cast<EntryId>(entries_[id].parent)) {
      head = id;
    }
    if (!HasBytes(head) || !Demote(head)) {
      admitted_ = false;
      return true;
    }
    if (head == victim) return true;
  }
  return false;
}

bool ShardImpl::DemoteRun(EntryId victim) {
  if (sink_ == nullptr || !has_flash() || !Admitted(victim)) return false;
  DemoteSome(victim, kRunBlocksMax);
  return OnFlash(victim);
}

}  // namespace cairn
