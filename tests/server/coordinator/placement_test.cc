#include "server/coordinator/placement.h"

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using testing::Beat;
using testing::Key;
using testing::Registration;

constexpr uint64_t kRuns = 20'000;
constexpr uint64_t kGiB = 1u << 30;

struct PlacementTest : ::testing::Test {
  void Join(uint64_t node, uint64_t capacity_bytes = kGiB, int reactors = 1) {
    bool restarted = false;
    ASSERT_TRUE(members.Register(Registration(node, 1, reactors, capacity_bytes), &restarted).ok());
    ASSERT_TRUE(members.Heartbeat(Beat(node)).ok());
  }
  std::vector<Place> PlaceAll() const {
    std::vector<Place> places;
    for (uint64_t run = 0; run < kRuns; ++run)
      places.push_back(PlaceRun(Key(run), members).value());
    return places;
  }
  static std::map<NodeSlot, double> Shares(const std::vector<Place>& places) {
    std::map<NodeSlot, double> shares;
    for (const Place& place : places) shares[place.node] += 1.0 / static_cast<double>(kRuns);
    return shares;
  }

  SimScheduler clock{1};
  Membership members{absl::Seconds(3), clock};
};

TEST_F(PlacementTest, WithoutAReadyNodeThereIsNoPlace) {
  EXPECT_FALSE(PlaceRun(Key(1), members).has_value());
  bool restarted = false;
  ASSERT_TRUE(members.Register(Registration(1), &restarted).ok());
  EXPECT_FALSE(PlaceRun(Key(1), members).has_value());
  ASSERT_TRUE(members.Heartbeat(Beat(1, 1, /*ready=*/false)).ok());
  EXPECT_FALSE(PlaceRun(Key(1), members).has_value());
}

TEST_F(PlacementTest, EqualNodesGetEqualShares) {
  for (uint64_t node = 0; node < 5; ++node) Join(node);
  for (const auto& [node, share] : Shares(PlaceAll())) EXPECT_NEAR(share, 0.2, 0.01) << node;
}

TEST_F(PlacementTest, ANodeGetsItsShareOfTheCapacity) {
  Join(0, kGiB);
  Join(1, 2 * kGiB);
  Join(2, 5 * kGiB);
  const auto shares = Shares(PlaceAll());
  EXPECT_NEAR(shares.at(0), 1.0 / 8, 0.01);
  EXPECT_NEAR(shares.at(1), 2.0 / 8, 0.01);
  EXPECT_NEAR(shares.at(2), 5.0 / 8, 0.01);
}

TEST_F(PlacementTest, ANewNodeTakesItsShareAndMovesNothingElse) {
  for (uint64_t node = 0; node < 4; ++node) Join(node);
  const std::vector<Place> before = PlaceAll();
  Join(4);
  const std::vector<Place> after = PlaceAll();
  uint64_t moved = 0;
  for (uint64_t run = 0; run < kRuns; ++run) {
    if (after[run] == before[run]) continue;
    ++moved;
    ASSERT_EQ(after[run].node, 4) << "run " << run << " moved between old nodes";
  }
  EXPECT_NEAR(static_cast<double>(moved) / kRuns, 0.2, 0.01);
}

TEST_F(PlacementTest, ALostNodesRunsSpreadAndTheOthersStay) {
  for (uint64_t node = 0; node < 4; ++node) Join(node);
  const std::vector<Place> before = PlaceAll();
  ASSERT_TRUE(members.Heartbeat(Beat(2, 1, /*ready=*/false)).ok());
  const std::vector<Place> after = PlaceAll();
  std::map<NodeSlot, uint64_t> inherited;
  for (uint64_t run = 0; run < kRuns; ++run) {
    ASSERT_NE(after[run].node, 2);
    if (before[run].node == 2) {
      ++inherited[after[run].node];
    } else {
      ASSERT_EQ(after[run], before[run]);
    }
  }
  EXPECT_EQ(inherited.size(), 3u);
  for (const auto& [node, runs] : inherited) {
    EXPECT_NEAR(static_cast<double>(runs), kRuns / 4.0 / 3.0, 150) << node;
  }
}

TEST_F(PlacementTest, TheOrderOfJoiningDoesNotMatter) {
  Membership others{absl::Seconds(3), clock};
  for (uint64_t node : {0, 1, 2}) Join(node, (node + 1) * kGiB, 2);
  for (uint64_t node : {2, 0, 1}) {
    bool restarted = false;
    ASSERT_TRUE(others.Register(Registration(node, 1, 2, (node + 1) * kGiB), &restarted).ok());
    ASSERT_TRUE(others.Heartbeat(Beat(node)).ok());
  }
  for (uint64_t run = 0; run < 1000; ++run) {
    const Place here = PlaceRun(Key(run), members).value();
    const Place there = PlaceRun(Key(run), others).value();
    ASSERT_EQ(members.member(here.node).id, others.member(there.node).id);
    ASSERT_EQ(here.reactor, there.reactor);
  }
}

TEST_F(PlacementTest, ReactorsOfANodeShareItsRunsEvenly) {
  Join(0, kGiB, /*reactors=*/8);
  std::map<uint8_t, uint64_t> runs;
  for (const Place& place : PlaceAll()) ++runs[place.reactor];
  ASSERT_EQ(runs.size(), 8u);
  for (const auto& [reactor, count] : runs) {
    EXPECT_NEAR(static_cast<double>(count), kRuns / 8.0, 200) << int{reactor};
  }
}

}  // namespace
}  // namespace cairn
