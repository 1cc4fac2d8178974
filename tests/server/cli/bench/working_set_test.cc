#include "server/cli/bench/working_set.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

std::set<uint64_t> AllPicked(const WorkingSet& set) {
  SeededRandom random(7);
  std::set<uint64_t> picked;
  for (int i = 0; i < 1000; ++i) picked.insert(set.Pick(random));
  return picked;
}

TEST(WorkingSet, HoldsTheLatestThatWereStored) {
  WorkingSet set(3);
  EXPECT_EQ(set.size(), 0u);
  set.Add(10);
  set.Add(11);
  EXPECT_THAT(AllPicked(set), testing::ElementsAre(10, 11));
  for (uint64_t chain = 12; chain < 20; ++chain) set.Add(chain);
  EXPECT_EQ(set.size(), 3u);
  EXPECT_THAT(AllPicked(set), testing::ElementsAre(17, 18, 19));
}

TEST(WorkingSetDeathTest, NothingIsPickedFromNothing) {
  SeededRandom random(7);
  EXPECT_DEATH(WorkingSet(3).Pick(random), "size");
}

}  // namespace
}  // namespace cairn
