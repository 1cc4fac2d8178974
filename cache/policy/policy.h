// Which block goes first.
//
// A policy hears of every block that one shard has in DRAM: when it comes, when it is used, when it
// is gone. Apart from that the shard offers it those that may go: sealed, unpinned, and without a
// child in DRAM in the same run, so that a tail always goes before its head whatever the policy
// thinks. A head that is offered again after its last child has its place by its own last use.
//
// All times are milliseconds of the shard's clock.
#ifndef CAIRN_CACHE_POLICY_POLICY_H_
#define CAIRN_CACHE_POLICY_POLICY_H_

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "cache/entry.h"
#include "cache/policy/age_list.h"
#include "cache/policy/group_table.h"
#include "cache/policy/return_hint.h"
#include "cache/policy/reuse_estimate.h"
#include "cache/policy/touch_times.h"

namespace cairn {

enum class PolicyKind { kLru, kS3Fifo, kLearned };
// The kind of this name ("lru", "s3fifo", "learned"). kInvalidArgument lists the names.
absl::StatusOr<PolicyKind> ParsePolicyKind(const std::string& name);

// One thread. O(1) per call, but for the times' origin that moves every six days; nothing allocates
// but the first block of a group. A block's group is the same in all calls until it is gone.
class Policy {
 public:
  virtual ~Policy() = default;

  // A block came. Its entry's key, parent, offset and depth are final. predecessor: the block
  // before it in its chain, of this run or the one before; kNoEntry: none, or not of this shard.
  void Admit(EntryId id, PolicyGroup group, EntryId predecessor, ReturnHint hint, int64_t now_ms);
  // A use of its own.
  void Touch(EntryId id, PolicyGroup group, int64_t now_ms);
  // One more step of a use that was told already, like the fetch of a block that a lease holds.
  void Refresh(EntryId id, PolicyGroup group, int64_t now_ms);

  // May go from now on. Not offered yet.
  void Offer(EntryId id, PolicyGroup group);
  // The same, for it lost its last child: of the blocks last used at its time it is the next to go,
  // so that a chain goes whole before another is begun.
  void OfferHead(EntryId id, PolicyGroup group);
  // May not go any more: pinned, got a child, or is gone. Offered.
  void Withdraw(EntryId id, PolicyGroup group);
  // The next to go, still offered; kNoEntry: none of the group is.
  EntryId Victim(PolicyGroup group, int64_t now_ms);

  // To compare victims of different groups by. Logarithm of the rate at which blocks like this one
  // come back; equal for all where a policy learns no rates.
  float LogReturnRate(EntryId id, int64_t now_ms) const { return DoLogReturnRate(id, now_ms); }
  int64_t LastUseMs(EntryId id) const { return times_.Of(id); }

  // Gone, and withdrawn before. Evict: for want of room, so that its return would be a lesson.
  void Evict(EntryId id, int64_t now_ms);
  void Drop(EntryId id);

  bool Holds(EntryId id) const { return entries_[id].touches > 0; }
  // What half and twice the room would have given under least-recently-used.
  const ReuseFigures& reuse() const { return reuse_.figures(); }
  uint64_t resident() const { return resident_; }

 protected:
  Policy(absl::Span<Entry> entries, TouchTimes times)
      : entries_(entries), times_(std::move(times)) {}

  absl::Span<Entry> entries_;
  TouchTimes times_;

 private:
  // Sets touches to at least 1, and the time.
  virtual void DoAdmit(EntryId id, PolicyGroup group, EntryId predecessor, int64_t now_ms) = 0;
  virtual void DoTouch(EntryId id, PolicyGroup group, int64_t now_ms) = 0;
  virtual void DoRefresh(EntryId id, PolicyGroup group, int64_t now_ms) = 0;
  // Where it stands while it is offered.
  virtual AgeList& ListOf(EntryId id, PolicyGroup group) = 0;
  virtual EntryId DoVictim(PolicyGroup group, int64_t now_ms) = 0;
  virtual float DoLogReturnRate(EntryId, int64_t) const { return 0; }
  virtual void DoEvict(EntryId id, int64_t now_ms) = 0;
  virtual void DoDrop(EntryId id) = 0;
  virtual void DoMoveOrigin() = 0;

  void AdvanceTo(int64_t now_ms);

  ReuseEstimate reuse_;
  uint64_t resident_ = 0;
};

// What entries names outlives the policy. kResourceExhausted: address space.
absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(PolicyKind kind, absl::Span<Entry> entries);

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_POLICY_H_
