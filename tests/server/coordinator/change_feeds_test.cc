#include "server/coordinator/change_feeds.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Key;
using Kind = IndexChange::Kind;
using Position = ChangeFeeds::Position;

constexpr TenantId kTenant = 1;
constexpr TenantId kOther = 2;
constexpr ChangeFeedsLimits kSmall = {.changes_max = 8, .feeds_max = 2, .watchers_max = 3};

struct ChangeFeedsTest : ::testing::Test {
  Position Open(TenantId tenant = kTenant) { return feeds.Open(tenant, {}).value().position; }
  void Store(uint64_t first, uint64_t count, TenantId tenant = kTenant) {
    for (uint64_t i = first; i < first + count; ++i) {
      index.Add(tenant, Key(i), {1, 0});
    }
  }
  std::vector<IndexChange> Read(Position& position, TenantId tenant = kTenant, size_t max = 100) {
    return feeds.Read(tenant, &position, max).value();
  }

  SimScheduler clock{1};
  SeededRandom random{7};
  ChangeFeeds feeds{random, clock, kSmall};
  PrefixIndex index{1u << 20, &feeds};
};

TEST_F(ChangeFeedsTest, TellsWhatCameMovedAndWent) {
  Position position = Open();
  Store(0, 1);
  index.Add(kTenant, Key(0), {1, 0}, Tier::kNvme);
  index.Add(kTenant, Key(0), {1, 0}, Tier::kNvme);
  index.Remove(kTenant, Key(0), {1, 0});
  index.Remove(kTenant, Key(0), {1, 0});
  index.Forget(2);
  EXPECT_THAT(Read(position), ElementsAre(IndexChange{Key(0), 1, Tier::kDram, Kind::kStored},
                                          IndexChange{Key(0), 1, Tier::kNvme, Kind::kStored},
                                          IndexChange{Key(0), 1, Tier::kNvme, Kind::kRemoved},
                                          IndexChange{{}, 2, Tier::kDram, Kind::kNodeCleared}))
      << "what was known already is told once";
  EXPECT_EQ(position.sequence, 4u);
  EXPECT_THAT(Read(position), IsEmpty());
}

TEST_F(ChangeFeedsTest, ReadsInPartsWithoutAGap) {
  Position position = Open();
  Store(0, 5);
  EXPECT_EQ(Read(position, kTenant, 2).size(), 2u);
  EXPECT_EQ(position.sequence, 2u);
  EXPECT_EQ(Read(position, kTenant, 2).size(), 2u);
  EXPECT_EQ(Read(position, kTenant, 2)[0].key, Key(4));
  EXPECT_EQ(position.sequence, 5u);
}

TEST_F(ChangeFeedsTest, ATenantsNumbersTellNothingOfOthers) {
  Position mine = Open();
  Position theirs = Open(kOther);
  EXPECT_NE(mine.epoch, theirs.epoch);
  Store(0, 3, kOther);
  EXPECT_EQ(feeds.newest(kTenant).sequence, 0u);
  EXPECT_THAT(Read(mine), IsEmpty());
  EXPECT_EQ(Read(theirs, kOther).size(), 3u);
}

TEST_F(ChangeFeedsTest, AFloodOfOneTenantCostsAnotherNoChange) {
  Position mine = Open();
  Open(kOther);
  Store(0, 1);
  Store(100, 1000, kOther);
  EXPECT_EQ(Read(mine).size(), 1u);
}

TEST_F(ChangeFeedsTest, WhoComesBackInTimeMissesNothing) {
  Position position = Open();
  Store(0, 2);
  Read(position);
  feeds.Close(kTenant);
  Store(2, 3);
  clock.RunFor(absl::Seconds(30));
  feeds.Step();
  const ChangeFeeds::Opened again = feeds.Open(kTenant, position).value();
  EXPECT_FALSE(again.gap);
  EXPECT_EQ(again.position, position);
  EXPECT_EQ(Read(position).size(), 3u);
}

TEST_F(ChangeFeedsTest, WhoseChangesAreGoneIsToldOfAGap) {
  const Position first = Open();
  Store(0, 9);
  EXPECT_TRUE(feeds.Open(kTenant, first).value().gap) << "one more than is kept";
  const Position oldest = {first.epoch, 1};
  EXPECT_FALSE(feeds.Open(kTenant, oldest).value().gap);
}

TEST_F(ChangeFeedsTest, APositionOfAnotherEpochOrOfTheFutureIsAGap) {
  const Position now = Open();
  Store(0, 3);
  for (const Position& strange : {Position{}, Position{now.epoch + 1, 2}, Position{now.epoch, 4}}) {
    const ChangeFeeds::Opened opened = feeds.Open(kTenant, strange).value();
    EXPECT_TRUE(opened.gap);
    EXPECT_EQ(opened.position, (Position{now.epoch, 3})) << "goes on behind the newest";
    feeds.Close(kTenant);
  }
}

TEST_F(ChangeFeedsTest, ASlowWatcherIsToldSo) {
  Position position = Open();
  Store(0, 9);
  const absl::Status status = feeds.Read(kTenant, &position, 100).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("9 changes behind and 8 are kept"));
}

TEST_F(ChangeFeedsTest, AFeedWithoutWatchersGoesAfterAWhileAndItsNumbersWithIt) {
  Position position = Open();
  Store(0, 2);
  Read(position);
  feeds.Close(kTenant);
  clock.RunFor(absl::Seconds(61));
  feeds.Step();
  EXPECT_EQ(feeds.newest(kTenant), Position{}) << "nobody watches: nothing is kept";
  EXPECT_TRUE(feeds.Open(kTenant, position).value().gap);
  EXPECT_NE(feeds.newest(kTenant).epoch, position.epoch);
}

TEST_F(ChangeFeedsTest, AFeedWithAWatcherStays) {
  const Position position = Open();
  Open();
  feeds.Close(kTenant);
  clock.RunFor(absl::Hours(1));
  feeds.Step();
  EXPECT_EQ(feeds.newest(kTenant).epoch, position.epoch);
  EXPECT_EQ(feeds.watchers(), 1u);
}

TEST_F(ChangeFeedsTest, WatchersAndFeedsAreBounded) {
  for (int i = 0; i < 3; ++i) Open();
  EXPECT_EQ(feeds.Open(kTenant, {}).status().code(), absl::StatusCode::kResourceExhausted);
  Open(kOther);
  EXPECT_EQ(feeds.Open(3, {}).status().code(), absl::StatusCode::kResourceExhausted);
  feeds.Close(kTenant);
  EXPECT_TRUE(feeds.Open(kTenant, {}).ok());
  EXPECT_EQ(feeds.watchers(), 4u);
}

// A watcher's map, made of changes alone, against the index that made them.
class WatcherProperty : public ::testing::TestWithParam<uint64_t> {
 protected:
  using Held = std::map<std::pair<uint64_t, NodeSlot>, Tier>;
  static constexpr NodeSlot kNodes = 6;  // more than a block has places
  static constexpr uint64_t kKeys = 60;

  void Step() {
    const auto node = static_cast<NodeSlot>(random_.Below(kNodes));
    const uint64_t key = random_.Below(kKeys);
    const Tier tier = random_.Below(2) == 0 ? Tier::kDram : Tier::kNvme;
    const uint64_t dice = random_.Below(100);
    if (dice < 60) {
      index_.Add(kTenant, Key(key), {node, 0}, tier);
    } else if (dice < 85) {
      index_.Remove(kTenant, Key(key), {node, 0});
    } else if (dice < 88) {
      index_.BeginSnapshot(node);
      in_snapshot_.insert(node);
    } else if (dice < 98) {
      index_.EndSnapshot(node);
      in_snapshot_.erase(node);
    } else {
      index_.Forget(node);
      in_snapshot_.erase(node);
    }
  }
  void Apply(const IndexChange& change) {
    if (change.kind == Kind::kNodeCleared) {
      std::erase_if(held_, [&](const auto& entry) { return entry.first.second == change.node; });
      return;
    }
    uint64_t key = 0;
    while (Key(key) != change.key) ++key;
    if (change.kind == Kind::kStored) {
      held_[{key, change.node}] = change.tier;
    } else {
      held_.erase({key, change.node});
    }
  }
  Held OfIndex() const {
    Held held;
    for (uint64_t key = 0; key < kKeys; ++key) {
      std::array<Copy, PrefixIndex::kCopiesMax> copies;
      const size_t count = index_.Find(kTenant, Key(key), copies);
      for (size_t i = 0; i < count; ++i) held[{key, copies[i].place.node}] = copies[i].tier;
    }
    return held;
  }

  SeededRandom random_{GetParam()};
  SimScheduler clock_{1};
  ChangeFeeds feeds_{random_, clock_};
  // Room for half of the keys, so that entries are displaced.
  PrefixIndex index_{kKeys / 2 * 112, &feeds_};
  std::set<NodeSlot> in_snapshot_;
  Held held_;
};

TEST_P(WatcherProperty, KnowsWhatTheIndexBelievesWheneverNoSnapshotIsUnderWay) {
  Position position = feeds_.Open(kTenant, {}).value().position;
  int compared = 0;
  for (int step = 0; step < 5000; ++step) {
    Step();
    const auto changes = feeds_.Read(kTenant, &position, 4096).value();
    for (const IndexChange& change : changes) Apply(change);
    if (!in_snapshot_.empty()) continue;
    ASSERT_EQ(held_, OfIndex()) << "seed " << GetParam() << " step " << step;
    ++compared;
  }
  EXPECT_GT(compared, 50);
}

INSTANTIATE_TEST_SUITE_P(Seeds, WatcherProperty, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cairn
