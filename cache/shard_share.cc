// How size classes share DRAM. A slab serves one class, so that room which one class has and
// another lacks moves a slab at a time: from the class whose next to go is the least likely to come
// back.
#include <algorithm>
#include <cmath>

#include "cache/shard_impl.h"

namespace cairn {
namespace {

// A slab takes blocks along that are used more often than the one that pointed it out; and two
// classes of equal use must not pass slabs to and fro. So twice as cold at least.
constexpr float kLogMargin = 0.7f;
constexpr int64_t kLooksEvery_ms = 10;
// EmptySlab walks over all entries: 41 ms for a million of them, 7 for 131,072, eviction included.
// About a hundredth of the time goes into it at most.
constexpr int64_t kEntriesPerMs = 20'000;
constexpr int64_t kCopiedBytesPerMs = 4 << 20;  // to NVMe, what goes there first
constexpr int64_t kShareOfTime = 100;

}  // namespace

uint32_t ShardImpl::SlabOf(EntryId id) const {
  return pool_.SlabOf(static_cast<SlotId>(entries_[id].slot));
}

int64_t ShardImpl::WalkMs() const { return entries_fresh_ / kEntriesPerMs; }

// Less for one that is less likely to come back, as the policy has it, and of those that it holds
// for equal the one that has waited longest.
float ShardImpl::Warmth(EntryId id, int64_t now_ms) const {
  const int64_t waited_ms = std::max<int64_t>(1, now_ms - policy_->LastUseMs(id));
  return policy_->LogReturnRate(id, now_ms) - std::log(static_cast<float>(waited_ms));
}

EntryId ShardImpl::ColdestOfOthers(SizeClass size_class, absl::FunctionRef<bool(EntryId)> may_go) {
  const int64_t now_ms = NowMs();
  EntryId coldest = kNoEntry;
  float least = 0;
  for (size_t other = 0; other < pool_.class_count(); ++other) {
    if (other == size_class) continue;
    const EntryId victim = policy_->Victim(static_cast<PolicyGroup>(other), now_ms);
    if (victim == kNoEntry || !may_go(victim)) continue;
    const float warmth = Warmth(victim, now_ms);
    if (coldest != kNoEntry && warmth >= least) continue;
    least = warmth;
    coldest = victim;
  }
  return coldest;
}

bool ShardImpl::TakeColdSlab(SizeClass size_class) {
  const int64_t now_ms = NowMs();
  if (pool_.class_count() == 1 || now_ms < next_look_ms_) return false;
  next_look_ms_ = now_ms + kLooksEvery_ms;
  const EntryId own = policy_->Victim(static_cast<PolicyGroup>(size_class), now_ms);
  if (own == kNoEntry) return false;
  const float own_rate = policy_->LogReturnRate(own, now_ms);
  const float warmth_max = Warmth(own, now_ms) - kLogMargin;
  const EntryId coldest = ColdestOfOthers(size_class, [&](EntryId victim) {
    return policy_->LogReturnRate(victim, now_ms) <= own_rate &&
           Warmth(victim, now_ms) < warmth_max;
  });
  if (coldest == kNoEntry) return false;
  const int64_t copied_bytes = has_flash() ? static_cast<int64_t>(pool_.slab_bytes()) : 0;
  const int64_t takes_ms = WalkMs() + copied_bytes / kCopiedBytesPerMs;
  next_look_ms_ = now_ms + std::max(kLooksEvery_ms, kShareOfTime * takes_ms);
  return EmptySlab(SlabOf(coldest));
}

// Those that EmptySlab would not empty: a block in it, or one that descends from it, is pinned or
// being written.
void ShardImpl::MarkHeldSlabs() {
  held_slabs_.assign(pool_.slab_count(), false);
  const auto hold = [this](EntryId id) {
    if (entries_[id].slot != kNoSlot) held_slabs_[SlabOf(id)] = true;
  };
  for (EntryId id = 0; id < entries_fresh_; ++id) {
    const bool sealed = IsIn(id, EntryState::kSealed);
    if (IsIn(id, EntryState::kFree) || (sealed && entries_[id].pins == 0)) continue;
    hold(id);
    if (!sealed || entries_[id].slot == kNoSlot) continue;
    for (auto at = static_cast<EntryId>(entries_[id].parent); at != kNoEntry;
         at = static_cast<EntryId>(entries_[at].parent)) {
      hold(at);
    }
  }
}

// The coldest of what is next to go elsewhere points it out; where those are all held, any will do.
uint32_t ShardImpl::SlabToFree(SizeClass size_class) {
  const EntryId coldest =
      ColdestOfOthers(size_class, [this](EntryId victim) { return !held_slabs_[SlabOf(victim)]; });
  if (coldest != kNoEntry) return SlabOf(coldest);
  uint32_t slab = 0;
  while (slab < pool_.slab_count() && (pool_.slab_class(slab) == size_class || held_slabs_[slab])) {
    ++slab;
  }
  return slab;
}

// Two walks over all entries. A search that finds nothing is one, and would be made again for each
// put while pins hold every slab: it, too, is for a hundredth of the time at most.
bool ShardImpl::FreeOneSlab(SizeClass size_class) {
  const int64_t now_ms = NowMs();
  if (now_ms < next_search_ms_) return false;
  MarkHeldSlabs();
  const uint32_t slab = SlabToFree(size_class);
  if (slab < pool_.slab_count() && EmptySlab(slab)) return true;
  next_search_ms_ = now_ms + kShareOfTime * WalkMs();
  return false;
}

}  // namespace cairn
