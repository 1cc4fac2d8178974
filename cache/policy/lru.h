// Least recently used.
#ifndef CAIRN_CACHE_POLICY_LRU_H_
#define CAIRN_CACHE_POLICY_LRU_H_

#include "cache/policy/policy.h"

namespace cairn {

class LruPolicy final : public Policy {
 public:
  LruPolicy(absl::Span<Entry> entries, TouchTimes times) : Policy(entries, std::move(times)) {}

 private:
  void DoAdmit(EntryId id, PolicyGroup group, EntryId predecessor, int64_t now_ms) override;
  void DoTouch(EntryId id, PolicyGroup group, int64_t now_ms) override;
  void DoRefresh(EntryId id, PolicyGroup group, int64_t now_ms) override {
    DoTouch(id, group, now_ms);
  }
  AgeList& ListOf(EntryId, PolicyGroup group) override { return *lists_.Find(group); }
  EntryId DoVictim(PolicyGroup group, int64_t now_ms) override;
  void DoEvict(EntryId, int64_t) override {}
  void DoDrop(EntryId) override {}
  void DoMoveOrigin() override;

  GroupTable<AgeList> lists_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_LRU_H_
