#include "server/coordinator/prefix_index.h"

#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/server/coordinator/sample_requests.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Key;
using ::testing::UnorderedElementsAre;

constexpr TenantId kTenant = 1;
constexpr uint64_t kRoomy = 1u << 20;

std::vector<Place> PlacesOf(const PrefixIndex& index, uint64_t key, TenantId tenant = kTenant) {
  std::array<Copy, PrefixIndex::kCopiesMax> copies;
  const size_t count = index.Find(tenant, Key(key), copies);
  std::vector<Place> places;
  for (size_t i = 0; i < count; ++i) places.push_back(copies[i].place);
  return places;
}

std::vector<NodeSlot> NodesOf(const PrefixIndex& index, uint64_t key) {
  std::vector<NodeSlot> nodes;
  for (const Place& place : PlacesOf(index, key)) nodes.push_back(place.node);
  return nodes;
}

// The most entries that an index of this size holds.
uint64_t CapacityOf(PrefixIndex& index) {
  for (uint64_t i = 0; index.size() == i; ++i) index.Add(kTenant, Key(i), {0, 0});
  return index.size();
}

TEST(PrefixIndex, FindsWhatWasAddedWithItsReactor) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {3, 7});
  EXPECT_THAT(PlacesOf(index, 1), ElementsAre(Place{3, 7}));
  EXPECT_THAT(PlacesOf(index, 2), IsEmpty());
  EXPECT_EQ(index.size(), 1u);
  EXPECT_EQ(index.count_of(3), 1u);
  EXPECT_EQ(index.count_of(4), 0u);
}

TEST(PrefixIndex, AddingTwiceCountsOnceAndTheLastReactorAnswers) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {3, 0});
  index.Add(kTenant, Key(1), {3, 1});
  EXPECT_THAT(PlacesOf(index, 1), ElementsAre(Place{3, 1}));
  EXPECT_EQ(index.count_of(3), 1u);
}

TEST(PrefixIndex, RemovingTheLastPlaceRemovesTheEntry) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  index.Add(kTenant, Key(1), {2, 0});
  index.Remove(kTenant, Key(1), {1, 0});
  EXPECT_THAT(NodesOf(index, 1), ElementsAre(2));
  EXPECT_EQ(index.size(), 1u);
  index.Remove(kTenant, Key(1), {2, 0});
  EXPECT_EQ(index.size(), 0u);
  EXPECT_EQ(index.count_of(1), 0u);
  EXPECT_EQ(index.count_of(2), 0u);
}

TEST(PrefixIndex, RemovingWhatIsNotThereDoesNothing) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  index.Remove(kTenant, Key(1), {2, 0});
  index.Remove(kTenant, Key(2), {1, 0});
  EXPECT_THAT(NodesOf(index, 1), ElementsAre(1));
  EXPECT_EQ(index.count_of(1), 1u);
  EXPECT_EQ(index.count_of(2), 0u);
}

TEST(PrefixIndex, TenantsDoNotMeetUnderOneKey) {
  PrefixIndex index(kRoomy);
  index.Add(1, Key(1), {1, 0});
  EXPECT_THAT(PlacesOf(index, 1, 2), IsEmpty());
  index.Add(2, Key(1), {2, 0});
  index.Remove(2, Key(1), {1, 0});
  EXPECT_THAT(PlacesOf(index, 1, 1), ElementsAre(Place{1, 0}));
  EXPECT_THAT(PlacesOf(index, 1, 2), ElementsAre(Place{2, 0}));
  index.Remove(1, Key(1), {1, 0});
  EXPECT_THAT(PlacesOf(index, 1, 2), ElementsAre(Place{2, 0}));
}

TEST(PrefixIndex, AFifthCopyDisplacesOneAndTheCountsFollow) {
  PrefixIndex index(kRoomy);
  for (NodeSlot node = 0; node < 5; ++node) index.Add(kTenant, Key(1), {node, 0});
  const std::vector<NodeSlot> nodes = NodesOf(index, 1);
  EXPECT_EQ(nodes.size(), PrefixIndex::kCopiesMax);
  EXPECT_THAT(nodes, ::testing::Contains(4));
  uint64_t counted = 0;
  for (NodeSlot node = 0; node < 5; ++node) counted += index.count_of(node);
  EXPECT_EQ(counted, PrefixIndex::kCopiesMax);
}

TEST(PrefixIndex, StaysWithinItsBytesAndForgetsTheFirstCome) {
  PrefixIndex index(4096);
  const uint64_t capacity = CapacityOf(index);
  EXPECT_GT(capacity, 10u);
  EXPECT_LE(index.bytes(), index.bytes_max());
  EXPECT_LE(index.bytes_max(), 4096u);
  EXPECT_THAT(NodesOf(index, 0), IsEmpty());
  EXPECT_THAT(NodesOf(index, capacity), ElementsAre(0));
  for (uint64_t i = 1000; i < 5000; ++i) {
    index.Add(kTenant, Key(i), {1, 0});
    ASSERT_LE(index.bytes(), index.bytes_max());
  }
  EXPECT_EQ(index.count_of(0), 0u);
  EXPECT_EQ(index.count_of(1), capacity);
}

TEST(PrefixIndex, AnEntryThatCameBackIsNotTheOldest) {
  PrefixIndex index(4096);
  const uint64_t capacity = CapacityOf(index);
  for (uint64_t i = 0; i < capacity; ++i) index.Add(kTenant, Key(1000 + i), {0, 0});
  index.Remove(kTenant, Key(1000), {0, 0});
  index.Add(kTenant, Key(1000), {0, 0});
  index.Add(kTenant, Key(2000), {0, 0});
  EXPECT_THAT(NodesOf(index, 1000), ElementsAre(0));
  EXPECT_THAT(NodesOf(index, 1001), IsEmpty());
}

// A cache slightly smaller than its working set takes back and reports the same blocks for ever.
TEST(PrefixIndex, ChurnOfTheSameBlocksCostsAsMuchAtTheEndAsInTheBeginning) {
  constexpr uint64_t kResident = 50'000;
  constexpr uint64_t kWorkingSet = kResident + 2;
  PrefixIndex index(kResident * 1000);
  for (uint64_t i = 0; i < 20 * kWorkingSet; ++i) {
    index.Add(kTenant, Key(i % kWorkingSet), {0, 0});
    if (i >= kResident) index.Remove(kTenant, Key((i - kResident) % kWorkingSet), {0, 0});
  }
  EXPECT_EQ(index.size(), kResident);
  EXPECT_EQ(index.count_of(0), kResident);
}

TEST(PrefixIndex, ForgettingANodeLeavesTheOthers) {
  PrefixIndex index(kRoomy);
  for (uint64_t i = 0; i < 100; ++i) {
    index.Add(kTenant, Key(i), {1, 0});
    index.Add(kTenant, Key(i), {2, 0});
  }
  index.Forget(1);
  EXPECT_EQ(index.count_of(1), 0u);
  EXPECT_EQ(index.count_of(2), 100u);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_THAT(NodesOf(index, i), ElementsAre(2));
  index.Add(kTenant, Key(5), {1, 0});
  EXPECT_THAT(NodesOf(index, 5), UnorderedElementsAre(1, 2));
  EXPECT_EQ(index.count_of(1), 1u);
}

TEST(PrefixIndex, ASnapshotReplacesWhatItDoesNotName) {
  PrefixIndex index(kRoomy);
  for (const uint64_t key : {1, 2, 3}) index.Add(kTenant, Key(key), {1, 0});
  index.BeginSnapshot(1);
  index.Add(kTenant, Key(2), {1, 0});
  index.Add(kTenant, Key(4), {1, 0});
  for (const uint64_t key : {1, 2, 3, 4}) EXPECT_THAT(NodesOf(index, key), ElementsAre(1)) << key;
  EXPECT_EQ(index.count_of(1), 4u);
  index.EndSnapshot(1);
  EXPECT_THAT(NodesOf(index, 1), IsEmpty());
  EXPECT_THAT(NodesOf(index, 2), ElementsAre(1));
  EXPECT_THAT(NodesOf(index, 3), IsEmpty());
  EXPECT_THAT(NodesOf(index, 4), ElementsAre(1));
  EXPECT_EQ(index.count_of(1), 2u);
}

TEST(PrefixIndex, RemovalsDuringASnapshotTakeBackOldAndNewReports) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  index.Add(kTenant, Key(2), {1, 0});
  index.BeginSnapshot(1);
  index.Add(kTenant, Key(2), {1, 0});
  index.Remove(kTenant, Key(1), {1, 0});
  index.Remove(kTenant, Key(2), {1, 0});
  EXPECT_EQ(index.count_of(1), 0u);
  index.EndSnapshot(1);
  EXPECT_EQ(index.count_of(1), 0u);
  EXPECT_EQ(index.size(), 0u);
}

TEST(PrefixIndex, ASnapshotThatNeverEndedIsGivenUpForTheNext) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  index.BeginSnapshot(1);
  index.Add(kTenant, Key(2), {1, 0});
  index.BeginSnapshot(1);
  index.Add(kTenant, Key(3), {1, 0});
  EXPECT_THAT(NodesOf(index, 1), ElementsAre(1));
  EXPECT_THAT(NodesOf(index, 2), IsEmpty());
  EXPECT_EQ(index.count_of(1), 2u);
  index.EndSnapshot(1);
  EXPECT_THAT(NodesOf(index, 3), ElementsAre(1));
  EXPECT_EQ(index.count_of(1), 1u);
}

TEST(PrefixIndex, AnEndWithoutABeginningIsIgnored) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  index.EndSnapshot(1);
  EXPECT_THAT(NodesOf(index, 1), ElementsAre(1));
  EXPECT_EQ(index.count_of(1), 1u);
}

TEST(PrefixIndex, OneNodesSnapshotDoesNotTouchAnothersEntries) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  index.Add(kTenant, Key(1), {2, 0});
  index.BeginSnapshot(2);
  index.EndSnapshot(2);
  EXPECT_THAT(NodesOf(index, 1), ElementsAre(1));
  EXPECT_EQ(index.count_of(1), 1u);
  EXPECT_EQ(index.count_of(2), 0u);
}

TEST(PrefixIndex, WhatWasForgottenStaysForgottenHoweverOftenItsNodeComesBack) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  for (int restart = 0; restart < 70'000; ++restart) {
    index.Forget(1);
    ASSERT_THAT(NodesOf(index, 1), IsEmpty()) << restart;
  }
  index.Remove(kTenant, Key(1), {1, 0});
  EXPECT_EQ(index.count_of(1), 0u);
}

TEST(PrefixIndex, WhatASnapshotDroppedStaysDroppedHoweverManyFollow) {
  PrefixIndex index(kRoomy);
  index.Add(kTenant, Key(1), {1, 0});
  for (int snapshot = 0; snapshot < 70'000; ++snapshot) {
    index.BeginSnapshot(1);
    index.Add(kTenant, Key(2), {1, 0});
    index.EndSnapshot(1);
    ASSERT_THAT(NodesOf(index, 1), IsEmpty()) << snapshot;
    ASSERT_THAT(NodesOf(index, 2), ElementsAre(1)) << snapshot;
    ASSERT_EQ(index.count_of(1), 1u) << snapshot;
  }
}

// What the index promises, told with sets: of each node the reports of its last whole snapshot and
// of the one that runs.
class Model {
 public:
  using Entry = std::pair<TenantId, uint64_t>;

  void Add(NodeSlot node, const Entry& entry) {
    (running_.contains(node) ? running_[node] : whole_[node]).insert(entry);
  }
  void Remove(NodeSlot node, const Entry& entry) {
    whole_[node].erase(entry);
    if (running_.contains(node)) running_[node].erase(entry);
  }
  void BeginSnapshot(NodeSlot node) { running_[node].clear(); }
  void EndSnapshot(NodeSlot node) {
    if (!running_.contains(node)) return;
    whole_[node] = running_[node];
    running_.erase(node);
  }
  void Forget(NodeSlot node) {
    whole_[node].clear();
    running_.erase(node);
  }
  bool Holds(NodeSlot node, const Entry& entry) {
    return whole_[node].contains(entry) ||
           (running_.contains(node) && running_[node].contains(entry));
  }
  uint64_t CountOf(NodeSlot node) {
    std::set<Entry> all = whole_[node];
    if (running_.contains(node)) all.insert(running_[node].begin(), running_[node].end());
    return all.size();
  }

 private:
  std::map<NodeSlot, std::set<Entry>> whole_;
  std::map<NodeSlot, std::set<Entry>> running_;
};

class PrefixIndexProperty : public ::testing::TestWithParam<uint64_t> {
 protected:
  static constexpr NodeSlot kNodes = 4;
  static constexpr uint64_t kKeys = 20;

  void Step() {
    const auto node = static_cast<NodeSlot>(random_.Below(kNodes));
    const Model::Entry entry{1 + static_cast<TenantId>(random_.Below(2)), random_.Below(kKeys)};
    const uint64_t dice = random_.Below(100);
    if (dice < 55) {
      index_.Add(entry.first, Key(entry.second), {node, 0});
      model_.Add(node, entry);
    } else if (dice < 85) {
      index_.Remove(entry.first, Key(entry.second), {node, 0});
      model_.Remove(node, entry);
    } else if (dice < 90) {
      // An unfinished one is ended first: what it took along from the whole one is gone with it.
      index_.EndSnapshot(node);
      model_.EndSnapshot(node);
      index_.BeginSnapshot(node);
      model_.BeginSnapshot(node);
    } else if (dice < 97) {
      index_.EndSnapshot(node);
      model_.EndSnapshot(node);
    } else {
      index_.Forget(node);
      model_.Forget(node);
    }
  }
  void Compare() {
    for (NodeSlot node = 0; node < kNodes; ++node) {
      ASSERT_EQ(index_.count_of(node), model_.CountOf(node)) << "node " << node;
    }
    for (TenantId tenant : {1, 2}) {
      for (uint64_t key = 0; key < kKeys; ++key) {
        std::set<NodeSlot> expected;
        for (NodeSlot node = 0; node < kNodes; ++node) {
          if (model_.Holds(node, {tenant, key})) expected.insert(node);
        }
        std::set<NodeSlot> found;
        for (const Place& place : PlacesOf(index_, key, tenant)) found.insert(place.node);
        ASSERT_EQ(found, expected) << "tenant " << tenant << " key " << key;
      }
    }
  }

  SeededRandom random_{GetParam()};
  PrefixIndex index_{kRoomy};
  Model model_;
};

TEST_P(PrefixIndexProperty, AgreesWithAModelOfSets) {
  for (int step = 0; step < 5000; ++step) {
    Step();
    ASSERT_NO_FATAL_FAILURE(Compare()) << "seed " << GetParam() << " step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PrefixIndexProperty, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cairn
