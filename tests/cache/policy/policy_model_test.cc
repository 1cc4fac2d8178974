// Each policy against a plain model of itself: the same victims, found by looking at every block.
#include <algorithm>
#include <map>
#include <optional>

#include <gtest/gtest.h>

#include "cache/policy/ghost_table.h"
#include "cache/policy/return_model.h"
#include "tests/cache/policy/policy_rig.h"

namespace cairn {
namespace {

constexpr size_t kRoom = 60;
constexpr uint64_t kNumbers = 150;  // of blocks that come and go

struct PlainBlock {
  uint64_t number = 0;
  EntryId parent = kNoEntry;
  int64_t at_ms = 0;
  uint64_t order = 0;  // among those of one time
  uint32_t children = 0;
  uint32_t uses = 0;
  bool mark = false;
};

class PlainModel {
 public:
  virtual ~PlainModel() = default;
  virtual void Put(EntryId id, PlainBlock block) = 0;
  virtual void Use(EntryId id, int64_t now_ms) = 0;
  // Whether the model lets this one go now.
  virtual bool Agrees(EntryId victim, int64_t now_ms) = 0;
  virtual void Evict(EntryId id, int64_t now_ms) = 0;

 protected:
  void Join(EntryId id, const PlainBlock& block) {
    if (block.parent != kNoEntry) ++blocks_[block.parent].children;
    blocks_[id] = block;
    blocks_[id].order = ++order_;
  }
  void Leave(EntryId id) {
    if (blocks_[id].parent != kNoEntry) --blocks_[blocks_[id].parent].children;
    blocks_.erase(id);
  }
  // The leaf that was used longest ago among those that fit.
  template <typename Fits>
  EntryId OldestLeaf(Fits fits) const {
    EntryId oldest = kNoEntry;
    for (const auto& [id, block] : blocks_) {
      if (block.children > 0 || !fits(block)) continue;
      const auto place = [](const PlainBlock& of) { return std::pair(of.at_ms, of.order); };
      if (oldest == kNoEntry || place(block) < place(blocks_.at(oldest))) oldest = id;
    }
    return oldest;
  }

  std::map<EntryId, PlainBlock> blocks_;
  uint64_t order_ = 0;
};

class PlainLru final : public PlainModel {
 public:
  void Put(EntryId id, PlainBlock block) override { Join(id, block); }
  void Use(EntryId id, int64_t now_ms) override { blocks_[id].at_ms = now_ms; }
  bool Agrees(EntryId victim, int64_t) override {
    return victim == OldestLeaf([](const PlainBlock&) { return true; });
  }
  void Evict(EntryId id, int64_t) override { Leave(id); }
};

// Of single blocks. mark: in the main queue.
class PlainS3Fifo final : public PlainModel {
 public:
  void Put(EntryId id, PlainBlock block) override {
    Ghost ghost;
    block.mark = ghosts_.Take(PolicyRig::KeyOf(block.number), block.at_ms, &ghost);
    Join(id, block);
  }
  void Use(EntryId id, int64_t) override { blocks_[id].uses = std::min(3u, blocks_[id].uses + 1); }
  bool Agrees(EntryId victim, int64_t now_ms) override {
    while (true) {
      const auto small = static_cast<size_t>(std::count_if(
          blocks_.begin(), blocks_.end(), [](const auto& item) { return !item.second.mark; }));
      const bool main_first = small <= blocks_.size() / 10;
      EntryId id = OldestLeaf([&](const PlainBlock& block) { return block.mark == main_first; });
      if (id == kNoEntry) id = OldestLeaf([](const PlainBlock&) { return true; });
      if (blocks_[id].uses < (blocks_[id].mark ? 1u : 2u)) return id == victim;
      PlainBlock& again = blocks_[id];
      again.uses = again.mark && again.uses > 0 ? again.uses - 1 : 0;
      again.mark = true;
      again.at_ms = now_ms;
      again.order = ++order_;
    }
  }
  void Evict(EntryId id, int64_t now_ms) override {
    ghosts_.SetRoom(blocks_.size() + blocks_.size() / 2);
    const PlainBlock& block = blocks_[id];
    if (!block.mark) ghosts_.Put(PolicyRig::KeyOf(block.number), {now_ms, 1, 0, false}, now_ms);
    Leave(id);
  }

 private:
  GhostTable ghosts_ = GhostTable::Create().value();
};

// uses: touches; mark: see ReturnCategory.
class PlainLearned final : public PlainModel {
 public:
  void Put(EntryId id, PlainBlock block) override {
    Ghost ghost;
    if (ghosts_.Take(PolicyRig::KeyOf(block.number), block.at_ms, &ghost)) {
      model_.Returned(ReturnCategory(ghost.count, ghost.mark, ghost.hint), ghost.at_ms,
                      block.at_ms);
    }
    block.uses = std::min(ghost.count + 1, kTouchCountMax);
    if (block.parent != kNoEntry) {
      const PlainBlock& parent = blocks_[block.parent];
      block.mark = parent.uses > 1 || parent.mark;
      block.uses = std::min(block.uses, parent.uses);
    }
    if (block.uses > 1) block.mark = model_.LongAgo(ghost.at_ms);
    Join(id, block);
    model_.Touched(Category(block), block.at_ms, blocks_.size());
  }
  void Use(EntryId id, int64_t now_ms) override {
    PlainBlock& block = blocks_[id];
    model_.Returned(Category(block), block.at_ms, now_ms);
    block.mark = model_.LongAgo(block.at_ms);
    block.uses = std::min(block.uses + 1, kTouchCountMax);
    block.at_ms = now_ms;
    model_.Touched(Category(block), now_ms, blocks_.size());
  }
  bool Agrees(EntryId victim, int64_t now_ms) override {
    const auto hazard = [&](const PlainBlock& block) {
      return model_.LogHazard(Category(block), now_ms - block.at_ms);
    };
    if (victim == kNoEntry || blocks_[victim].children > 0) return false;
    return std::none_of(blocks_.begin(), blocks_.end(), [&](const auto& item) {
      return item.second.children == 0 && hazard(item.second) < hazard(blocks_[victim]);
    });
  }
  void Evict(EntryId id, int64_t now_ms) override {
    const PlainBlock& block = blocks_[id];
    ghosts_.SetRoom(32 * (blocks_.size() - 1));
    const int64_t forgotten_ms = ghosts_.Put(PolicyRig::KeyOf(block.number),
                                             {block.at_ms, block.uses, 0, block.mark}, now_ms);
    if (forgotten_ms >= 0) model_.Forgotten(forgotten_ms);
    Leave(id);
  }

 private:
  static size_t Category(const PlainBlock& block) {
    return ReturnCategory(block.uses, block.mark, 0);
  }

  GhostTable ghosts_ = GhostTable::Create().value();
  ReturnModel model_;
};

std::unique_ptr<PlainModel> MakePlainModel(PolicyKind kind) {
  if (kind == PolicyKind::kLru) return std::make_unique<PlainLru>();
  if (kind == PolicyKind::kS3Fifo) return std::make_unique<PlainS3Fifo>();
  return std::make_unique<PlainLearned>();
}

class PolicyModel : public testing::TestWithParam<std::tuple<PolicyKind, uint64_t>> {
 protected:
  // A random block that is there, or none.
  EntryId RandomParent() {
    if (ids_.empty() || std::get<PolicyKind>(GetParam()) == PolicyKind::kS3Fifo ||
        random_.Below(2) == 0)
      return kNoEntry;
    const EntryId id =
        std::next(ids_.begin(), static_cast<int64_t>(random_.Below(ids_.size())))->second;
    return rig_.entry(id).run_offset < 31 ? id : kNoEntry;
  }
  void Evict() {
    const EntryId victim = rig_.EvictOne(now_ms_);
    ASSERT_TRUE(model_->Agrees(victim, now_ms_)) << victim;
    model_->Evict(victim, now_ms_);
    std::erase_if(ids_, [victim](const auto& item) { return item.second == victim; });
    free_.push_back(victim);
  }

  PolicyRig rig_{std::get<PolicyKind>(GetParam())};
  std::unique_ptr<PlainModel> model_ = MakePlainModel(std::get<PolicyKind>(GetParam()));
  SeededRandom random_{std::get<uint64_t>(GetParam())};
  std::map<uint64_t, EntryId> ids_;  // by number
  std::vector<EntryId> free_;
  EntryId fresh_ = 0;
  int64_t now_ms_ = 0;
};

TEST_P(PolicyModel, EvictsWhatThePlainModelWould) {
  for (int step = 0; step < 20'000 && !HasFatalFailure(); ++step) {
    now_ms_ += static_cast<int64_t>(64 * (1 + random_.Below(40)));  // no two uses at one time
    const uint64_t number = std::min(random_.Below(kNumbers), random_.Below(kNumbers));
    const auto present = ids_.find(number);
    if (present != ids_.end()) {
      rig_.Use(present->second, now_ms_);
      model_->Use(present->second, now_ms_);
      continue;
    }
    if (ids_.size() == kRoom) Evict();
    const EntryId parent = RandomParent();
    EntryId id = fresh_;
    if (free_.empty()) {
      ++fresh_;
    } else {
      id = free_.back();
      free_.pop_back();
    }
    rig_.Put(id, number, parent, now_ms_);
    model_->Put(id, {.number = number, .parent = parent, .at_ms = now_ms_});
    ids_[number] = id;
  }
  EXPECT_EQ(rig_.policy().resident(), ids_.size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, PolicyModel,
                         testing::Combine(testing::Values(PolicyKind::kLru, PolicyKind::kS3Fifo,
                                                          PolicyKind::kLearned),
                                          testing::Range<uint64_t>(1, 6)));

}  // namespace
}  // namespace cairn
