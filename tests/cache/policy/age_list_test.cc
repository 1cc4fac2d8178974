#include "cache/policy/age_list.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

class AgeListTest : public testing::Test {
 protected:
  static constexpr size_t kEntries = 4096;

  void Insert(EntryId id, int64_t at_ms) {
    times_.Set(id, at_ms);
    list_.Insert(id);
  }
  std::vector<EntryId> FromOldest() const {
    std::vector<EntryId> ids;
    for (EntryId id = list_.oldest(); id != kNoEntry; id = list_.NewerOf(id)) ids.push_back(id);
    return ids;
  }

  SparseArray<Entry> entries_ = SparseArray<Entry>::Create(kEntries).value();
  TouchTimes times_ = TouchTimes::Create(kEntries).value();
  AgeList list_{entries_.span(), times_};
};

TEST_F(AgeListTest, TheOldestIsTheOneUsedLongestAgo) {
  Insert(1, 64);
  Insert(2, 640);
  Insert(3, 320);  // a head that lost its last child
  EXPECT_EQ(FromOldest(), (std::vector<EntryId>{1, 3, 2}));
  list_.Remove(1);
  EXPECT_EQ(list_.oldest(), 3u);
  list_.Remove(2);
  list_.Remove(3);
  EXPECT_TRUE(list_.empty());
}

TEST_F(AgeListTest, OnlyAFewOfTheNewestHaveNotSettled) {
  Insert(0, 0);
  EXPECT_EQ(list_.newest_settled(), kNoEntry);
  for (EntryId id = 1; id < kEntries; ++id) {
    Insert(id, int64_t{id} * 64);
    if (id < 64) continue;
    ASSERT_LT(list_.newest_settled(), id);
    ASSERT_GE(list_.newest_settled(), id - 1 - std::max(16u, id / 32)) << id;
  }
}

TEST_F(AgeListTest, OfTheSameTimeTheDeeperIsOlder) {
  entries_[1].depth = DepthOf(100);
  entries_[2].depth = DepthOf(10);
  entries_[3].depth = DepthOf(1000);
  for (const EntryId id : {1, 2, 3}) Insert(id, 64);
  EXPECT_EQ(FromOldest(), (std::vector<EntryId>{3, 1, 2}));
}

TEST_F(AgeListTest, AHeadGoesBeforeOthersOfItsTimeAndNotBeforeOlderOnes) {
  Insert(1, 64);
  Insert(2, 64);
  times_.Set(3, 64);
  list_.InsertFirst(3);
  EXPECT_EQ(FromOldest(), (std::vector<EntryId>{3, 1, 2}));
  times_.Set(4, 640);
  list_.InsertFirst(4);
  EXPECT_EQ(FromOldest(), (std::vector<EntryId>{3, 1, 2, 4}));
}

TEST_F(AgeListTest, StaysInOrderWhenTheOriginMoves) {
  const int64_t half_ms = TouchTimes::kSpan_ms / 2;
  for (EntryId id = 0; id < 1000; ++id) Insert(id, id * (TouchTimes::kSpan_ms / 1000));
  const std::vector<EntryId> before = FromOldest();
  times_.MoveOrigin(TouchTimes::kSpan_ms);
  list_.OriginMoved();
  EXPECT_EQ(FromOldest(), before);
  EXPECT_EQ(times_.Of(list_.oldest()), half_ms);
  // The sections are whole: what goes, comes again and comes near the origin finds its place.
  for (EntryId id = 0; id < 495; ++id) {
    list_.Remove(id);
    Insert(id, TouchTimes::kSpan_ms + id * 64);
  }
  Insert(2001, half_ms + 64);
  std::vector<EntryId> after = {495, 496, 497, 498, 499, 500, 2001};
  for (EntryId id = 501; id < 1000; ++id) after.push_back(id);
  for (EntryId id = 0; id < 495; ++id) after.push_back(id);
  EXPECT_EQ(FromOldest(), after);
}

// Random insertions, now and then of an old time, against a sorted vector.
class AgeListProperty : public AgeListTest, public testing::WithParamInterface<uint64_t> {};

TEST_P(AgeListProperty, KeepsTheOrderOfAPlainModelToASection) {
  SeededRandom random(GetParam());
  std::vector<EntryId> listed;
  int64_t now_ms = 0;
  for (int step = 0; step < 20'000; ++step) {
    now_ms += static_cast<int64_t>(random.Below(3) * 64);
    const auto id = static_cast<EntryId>(random.Below(kEntries));
    const auto at = std::find(listed.begin(), listed.end(), id);
    if (at != listed.end()) {
      list_.Remove(id);
      listed.erase(at);
      continue;
    }
    const bool old = random.Below(8) == 0;
    const auto back = static_cast<int64_t>(random.Below(static_cast<uint64_t>(now_ms) + 1));
    Insert(id, old ? now_ms - back : now_ms);
    listed.push_back(id);
  }
  const std::vector<EntryId> order = FromOldest();
  ASSERT_EQ(order.size(), listed.size());
  ASSERT_EQ(list_.size(), listed.size());
  std::vector<int64_t> sorted;
  sorted.reserve(listed.size());
  for (const EntryId id : listed) sorted.push_back(times_.Of(id));
  std::sort(sorted.begin(), sorted.end());
  // How many places each stands from where its time belongs.
  size_t worst = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t at_ms = times_.Of(order[i]);
    const auto low =
        static_cast<size_t>(std::lower_bound(sorted.begin(), sorted.end(), at_ms) - sorted.begin());
    const auto high =
        static_cast<size_t>(std::upper_bound(sorted.begin(), sorted.end(), at_ms) - sorted.begin());
    if (i < low) worst = std::max(worst, low - i);
    if (i >= high) worst = std::max(worst, i - high + 1);
  }
  EXPECT_LE(worst, order.size() / 8);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AgeListProperty, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace cairn
