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

// The least likely to come back, as the policy has it, and of those that it holds for equal the one
// that has waited longest.
EntryId ShardImpl::ColdestOfOthers(SizeClass size_class, EntryId own_victim) {
  const int64_t now_ms = NowMs();
  const auto warmth = [&](EntryId id, float rate) {
    const int64_t waited_ms = std::max<int64_t>(1, now_ms - policy_->LastUseMs(id));
    return rate - std::log(static_cast<float>(waited_ms));
  };
  const float own_rate = policy_->LogReturnRate(own_victim, now_ms);
  float least = warmth(own_victim, own_rate) - kLogMargin;
  EntryId coldest = kNoEntry;
  for (size_t other = 0; other < pool_.class_count(); ++other) {
    if (other == size_class) continue;
    const EntryId victim = policy_->Victim(static_cast<PolicyGroup>(other), now_ms);
    if (victim == kNoEntry) continue;
    const float rate = policy_->LogReturnRate(victim, now_ms);
    if (rate > own_rate || warmth(victim, rate) >= least) continue;
    least = warmth(victim, rate);
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
  const EntryId coldest = ColdestOfOthers(size_class, own);
  if (coldest == kNoEntry) return false;
  const int64_t copied_bytes = has_flash() ? static_cast<int64_t>(pool_.slab_bytes()) : 0;
  const int64_t takes_ms = entries_fresh_ / kEntriesPerMs + copied_bytes / kCopiedBytesPerMs;
  next_look_ms_ = now_ms + std::max(kLooksEvery_ms, kShareOfTime * takes_ms);
  return EmptySlab(pool_.SlabOf(static_cast<SlotId>(entries_[coldest].slot)));
}

}  // namespace cairn
