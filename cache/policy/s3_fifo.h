// S3-FIFO (Yang and others, SOSP'23): a small queue of a tenth of the room for what is new, from
// which only what was used again there goes on into the main queue; what returns soon after it went
// goes into the main queue at once. A queue's order is that of coming, not of use.
#ifndef CAIRN_CACHE_POLICY_S3_FIFO_H_
#define CAIRN_CACHE_POLICY_S3_FIFO_H_

#include "cache/policy/ghost_table.h"
#include "cache/policy/policy.h"

namespace cairn {

class S3FifoPolicy final : public Policy {
 public:
  S3FifoPolicy(absl::Span<Entry> entries, TouchTimes times, GhostTable ghosts)
      : Policy(entries, std::move(times)), ghosts_(std::move(ghosts)) {}

 private:
  // An entry's mark tells its queue, its touches how often it was used since it was queued, plus 1.
  enum Queue : uint8_t { kSmall, kMain };
  struct Queues {
    Queues(absl::Span<Entry> entries, const TouchTimes& times)
        : lists{AgeList(entries, times), AgeList(entries, times)} {}
    AgeList lists[2];
  };

  void DoAdmit(EntryId id, PolicyGroup group, EntryId predecessor, int64_t now_ms) override;
  void DoTouch(EntryId id, PolicyGroup group, int64_t now_ms) override;
  void DoRefresh(EntryId, PolicyGroup, int64_t) override {}
  AgeList& ListOf(EntryId id, PolicyGroup group) override {
    return queues_.Find(group)->lists[entries_[id].mark];
  }
  EntryId DoVictim(PolicyGroup group, int64_t now_ms) override;
  void DoEvict(EntryId id, int64_t now_ms) override;
  void DoDrop(EntryId id) override;
  void DoMoveOrigin() override;

  uint32_t UsesOf(EntryId id) const { return static_cast<uint32_t>(entries_[id].touches) - 1; }
  // To the newest end of the main queue.
  void QueueAgain(Queues& queues, EntryId id, int64_t now_ms);

  GroupTable<Queues> queues_;
  GhostTable ghosts_;
  // Blocks of each queue in all groups, those included that may not go.
  uint64_t sizes_[2] = {0, 0};
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_S3_FIFO_H_
