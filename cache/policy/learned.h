// The learned policy: the block least likely to come back soon goes first (docs/policy.md).
//
// Every category of the return model has a list in order of age. Within a category the chance falls
// with age, so that the oldest of each list are the candidates; the least hazard goes. What went is
// remembered, 32 times as much as there is room for, so that its return is a lesson and its touches
// still count. One model serves all size classes of a shard.
#ifndef CAIRN_CACHE_POLICY_LEARNED_H_
#define CAIRN_CACHE_POLICY_LEARNED_H_

#include <memory>
#include <vector>

#include "cache/policy/ghost_table.h"
#include "cache/policy/policy.h"
#include "cache/policy/return_model.h"

namespace cairn {

class LearnedPolicy final : public Policy {
 public:
  LearnedPolicy(absl::Span<Entry> entries, TouchTimes times, GhostTable ghosts)
      : Policy(entries, std::move(times)),
        ghosts_(std::move(ghosts)),
        model_(std::make_unique<ReturnModel>()) {}

 private:
  struct Lists {
    Lists(absl::Span<Entry> entries, const TouchTimes& times);
    std::vector<AgeList> by_category;
  };

  void DoAdmit(EntryId id, PolicyGroup group, EntryId predecessor, int64_t now_ms) override;
  void DoTouch(EntryId id, PolicyGroup group, int64_t now_ms) override;
  void DoRefresh(EntryId id, PolicyGroup group, int64_t now_ms) override;
  AgeList& ListOf(EntryId id, PolicyGroup group) override {
    return lists_.Find(group)->by_category[CategoryOf(id)];
  }
  EntryId DoVictim(PolicyGroup group, int64_t now_ms) override;
  float DoLogReturnRate(EntryId id, int64_t now_ms) const override;
  void DoEvict(EntryId id, int64_t now_ms) override;
  void DoDrop(EntryId) override {}
  void DoMoveOrigin() override;

  // An entry's mark: see ReturnCategory.
  size_t CategoryOf(EntryId id) const;
  EntryId LastToReturn(const AgeList& list, size_t category, int64_t now_ms) const;
  // Into the category of its count, as touched now.
  void Classify(EntryId id, uint32_t count, int64_t now_ms);

  GroupTable<Lists> lists_;
  GhostTable ghosts_;
  const std::unique_ptr<ReturnModel> model_;  // 110 KB
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_LEARNED_H_
