#include "cache/policy/ghost_table.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

BlockKey Key(uint64_t number) {
  BlockKey key;
  SeededRandom random(number + 1);
  random.Fill(absl::MakeSpan(key.bytes));
  return key;
}

class GhostTableTest : public testing::Test {
 protected:
  GhostTable ghosts_ = GhostTable::Create().value();
  Ghost found_;
};

TEST_F(GhostTableTest, RemembersNothingBeforeItHasRoom) {
  EXPECT_EQ(ghosts_.Put(Key(1), {0, 1, 0, false}, 0), -1);
  EXPECT_FALSE(ghosts_.Take(Key(1), 0, &found_));
}

TEST_F(GhostTableTest, TellsOnceWhatItWasTold) {
  ghosts_.SetRoom(100);
  ghosts_.Put(Key(1), {6400, 17, 2, false}, 9000);
  ghosts_.Put(Key(2), {12800, 1, 1, true}, 13000);
  ghosts_.Put(Key(3), {12800, kTouchCountMax, 3, true}, 13000);
  ASSERT_TRUE(ghosts_.Take(Key(1), 20'000, &found_));
  EXPECT_EQ(found_.count, 17u);
  EXPECT_EQ(found_.hint, 2u);
  EXPECT_FALSE(found_.mark);
  EXPECT_NEAR(static_cast<double>(found_.at_ms), 6400, 64);
  ASSERT_TRUE(ghosts_.Take(Key(2), 20'000, &found_));
  EXPECT_EQ(found_.count, 1u);
  EXPECT_TRUE(found_.mark);
  ASSERT_TRUE(ghosts_.Take(Key(3), 20'000, &found_));
  EXPECT_EQ(found_.count, kGhostCountMax);
  EXPECT_EQ(found_.hint, 3u);
  EXPECT_TRUE(found_.mark);
  EXPECT_FALSE(ghosts_.Take(Key(1), 20'000, &found_)) << "it was taken";
}

TEST_F(GhostTableTest, TheOldestOfALineGivesWayAndTellsItsAge) {
  ghosts_.SetRoom(10);  // one line
  for (uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(ghosts_.Put(Key(i), {static_cast<int64_t>(i) * 640, 1, 0, false}, 6400), -1);
  }
  EXPECT_EQ(ghosts_.Put(Key(10), {6400, 1, 0, false}, 6400), 6400);
  EXPECT_FALSE(ghosts_.Take(Key(0), 6400, &found_));
  for (uint64_t i = 1; i <= 10; ++i) EXPECT_TRUE(ghosts_.Take(Key(i), 6400, &found_)) << i;
}

TEST_F(GhostTableTest, KeepsMostOfAsManyAsItHasRoomFor) {
  constexpr uint64_t kGhosts = 20'000;
  ghosts_.SetRoom(kGhosts);
  for (uint64_t i = 0; i < kGhosts; ++i) ghosts_.Put(Key(i), {0, 1, 0, false}, 0);
  uint64_t kept = 0;
  for (uint64_t i = 0; i < kGhosts; ++i) kept += ghosts_.Take(Key(i), 0, &found_) ? 1 : 0;
  EXPECT_GT(kept, kGhosts * 8 / 10);
}

TEST_F(GhostTableTest, AStrangerIsHardlyEverTakenForAGhost) {
  constexpr uint64_t kGhosts = 20'000;
  ghosts_.SetRoom(kGhosts);
  for (uint64_t i = 0; i < kGhosts; ++i) ghosts_.Put(Key(i), {0, 1, 0, false}, 0);
  uint64_t mistaken = 0;
  for (uint64_t i = kGhosts; i < 2 * kGhosts; ++i) {
    mistaken += ghosts_.Take(Key(i), 0, &found_) ? 1 : 0;
  }
  EXPECT_LT(mistaken, 12u);  // expected 3
}

TEST_F(GhostTableTest, ItsRoomIsBoundedWhateverIsAskedFor) {
  ghosts_.SetRoom(UINT64_MAX / 2);
  EXPECT_LE(ghosts_.room() * 64 / 10, kGhostBytesMax);
  EXPECT_GT(ghosts_.room(), 1'500'000u);
  ghosts_.SetRoom(10);
  EXPECT_GT(ghosts_.room(), 1'500'000u) << "it never shrinks";
}

TEST_F(GhostTableTest, AGhostOfMoreThanTwelveDaysLooksYoungerAndNeverOfTheFuture) {
  ghosts_.SetRoom(10);
  ghosts_.Put(Key(1), {0, 3, 0, false}, 0);
  const int64_t now_ms = int64_t{13} * 24 * 3'600'000;
  ASSERT_TRUE(ghosts_.Take(Key(1), now_ms, &found_));
  EXPECT_GT(found_.at_ms, 0);
  EXPECT_LE(found_.at_ms, now_ms);
}

}  // namespace
}  // namespace cairn
