#include "server/coordinator/locate.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using testing::Beat;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Key;
using testing::Node;
using testing::Registration;
using testing::ToBytes;

constexpr TenantId kTenant = 1;

// A run of a reply with its node's id looked up.
struct Stretch {
  uint32_t first = 0;
  uint32_t count = 0;
  uint64_t node = 0;
  uint32_t reactor = 0;
  friend bool operator==(const Stretch&, const Stretch&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Stretch& run) {
    return out << "[" << run.first << "+" << run.count << " at node " << run.node << "/"
               << run.reactor << "]";
  }
};

struct LocateTest : ::testing::Test {
  // Slots are given in the order of joining: node i has slot i.
  LocateTest() {
    for (uint64_t node = 0; node < kNodes; ++node) Join(node, 1, node == 3 ? 4 : 1);
  }
  void Join(uint64_t node, uint64_t incarnation, int reactors) {
    bool restarted = false;
    CAIRN_CHECK(members.Register(Registration(node, incarnation, reactors), &restarted).ok());
    SetReady(node, true, incarnation);
  }
  void SetReady(uint64_t node, bool ready, uint64_t incarnation = 1) {
    ASSERT_TRUE(members.Heartbeat(Beat(node, incarnation, ready)).ok());
  }
  void Hold(uint64_t first, uint64_t count, NodeSlot node, uint8_t reactor = 0,
            TenantId tenant = kTenant) {
    for (uint64_t i = first; i < first + count; ++i) index.Add(tenant, Key(i), {node, reactor});
  }
  static v1::LocateRequest Ask(size_t count, uint32_t first_position = 0) {
    std::vector<BlockKey> keys;
    for (uint64_t i = 0; i < count; ++i) keys.push_back(Key(i));
    v1::LocateRequest request;
    request.set_keys(ToBytes(keys));
    request.set_first_position(first_position);
    return request;
  }
  v1::LocateReply Answer(const v1::LocateRequest& request) const {
    return Locate(request, kTenant, index, members).value();
  }
  template <typename Runs>
  static std::vector<Stretch> Told(const v1::LocateReply& reply, const Runs& runs) {
    std::vector<Stretch> told;
    for (const auto& run : runs) {
      uint64_t node = 0;
      while (reply.nodes(static_cast<int>(run.node())).node_id() != ToBytes(Node(node))) ++node;
      told.push_back({run.first_index(), run.count(), node, run.reactor()});
    }
    return told;
  }
  std::vector<Stretch> Available(size_t count) const {
    const v1::LocateReply reply = Answer(Ask(count));
    return Told(reply, reply.available());
  }

  static constexpr uint64_t kNodes = 4;
  SimScheduler clock{1};
  Membership members{absl::Seconds(3), clock};
  PrefixIndex index{1u << 22};
};

TEST_F(LocateTest, NeighboursAtOnePlaceAreOneRun) {
  Hold(0, 5, 1);
  Hold(5, 3, 2);
  Hold(8, 2, 1);
  EXPECT_THAT(Available(10), ElementsAre(Stretch{0, 5, 1}, Stretch{5, 3, 2}, Stretch{8, 2, 1}));
}

TEST_F(LocateTest, ReactorsOfOneNodeAreDifferentPlaces) {
  Hold(0, 2, 3, 1);
  Hold(2, 2, 3, 2);
  EXPECT_THAT(Available(4), ElementsAre(Stretch{0, 2, 3, 1}, Stretch{2, 2, 3, 2}));
}

TEST_F(LocateTest, TheFirstGapEndsWhatIsAvailable) {
  Hold(0, 3, 1);
  Hold(4, 6, 1);
  EXPECT_THAT(Available(10), ElementsAre(Stretch{0, 3, 1}));
  index.Remove(kTenant, Key(0), {1, 0});
  EXPECT_THAT(Available(10), IsEmpty());
}

TEST_F(LocateTest, StaysWithANodeWhereCopiesAllowIt) {
  Hold(0, 8, 2);
  Hold(0, 4, 1);
  Hold(4, 4, 3, 3);
  EXPECT_THAT(Available(8), ElementsAre(Stretch{0, 8, 2}));
}

TEST_F(LocateTest, NodesThatAreNotReadyHoldNothing) {
  Hold(0, 4, 1);
  Hold(2, 2, 2);
  SetReady(1, false);
  EXPECT_THAT(Available(4), IsEmpty());
  Hold(0, 2, 3);
  EXPECT_THAT(Available(4), ElementsAre(Stretch{0, 2, 3}, Stretch{2, 2, 2}));
}

TEST_F(LocateTest, LostNodesHoldNothing) {
  Hold(0, 4, 1);
  clock.RunFor(absl::Seconds(1));
  members.Step();
  for (int i = 0; i < 30; ++i) {
    for (const uint64_t node : {0, 2, 3}) SetReady(node, true);
    clock.RunFor(absl::Milliseconds(100));
    members.Step();
  }
  EXPECT_THAT(Available(4), IsEmpty());
}

TEST_F(LocateTest, AReactorThatItsNodeDoesNotHaveIsNoPlace) {
  Hold(0, 4, 1, 1);
  EXPECT_THAT(Available(4), IsEmpty());
}

TEST_F(LocateTest, AnotherTenantsBlocksAreAbsent) {
  Hold(0, 4, 1, 0, /*tenant=*/2);
  EXPECT_THAT(Available(4), IsEmpty());
}

TEST_F(LocateTest, WhatIsAbsentIsPlacedRunByRunToTheEnd) {
  const v1::LocateReply reply = Answer(Ask(200));
  EXPECT_EQ(reply.available_size(), 0);
  uint32_t next = 0;
  std::vector<Place> places;
  for (const auto& run : reply.placement()) {
    ASSERT_EQ(run.first_index(), next);
    next += run.count();
    for (uint32_t i = 0; i < run.count(); ++i) {
      places.push_back({static_cast<NodeSlot>(run.node()), static_cast<uint8_t>(run.reactor())});
    }
  }
  ASSERT_EQ(next, 200u);
  for (uint32_t i = 0; i < 200; ++i) EXPECT_EQ(places[i], places[RunStart(i)]) << i;
}

TEST_F(LocateTest, APlacementIsWhereRendezvousPutsTheRunsFirstBlock) {
  const v1::LocateReply reply = Answer(Ask(1));
  const Place place = PlaceRun(Key(0), members).value();
  EXPECT_THAT(Told(reply, reply.placement()),
              ElementsAre(Stretch{0, 1, place.node, place.reactor}));
}

TEST_F(LocateTest, ARunThatIsThereInPartGoesOnWhereItsHeadIs) {
  Hold(0, 40, 2);
  const v1::LocateReply reply = Answer(Ask(64));
  ASSERT_GE(reply.placement_size(), 1);
  EXPECT_EQ(Told(reply, reply.placement())[0], (Stretch{40, 24, 2, 0}));
}

TEST_F(LocateTest, WithoutAReadyNodeNothingIsPlaced) {
  for (uint64_t node = 0; node < kNodes; ++node) SetReady(node, false);
  const v1::LocateReply reply = Answer(Ask(10));
  EXPECT_EQ(reply.available_size() + reply.placement_size() + reply.nodes_size(), 0);
}

TEST_F(LocateTest, EachNodeIsNamedOnceWithItsIncarnationAndAddresses) {
  Join(1, 9, 2);
  Hold(0, 2, 1);
  Hold(2, 2, 3);
  Hold(4, 2, 1);
  v1::LocateReply reply = Answer(Ask(6));
  ASSERT_EQ(reply.nodes_size(), 2);
  EXPECT_EQ(reply.nodes(0).node_id(), ToBytes(Node(1)));
  EXPECT_EQ(reply.nodes(0).incarnation(), 9u);
  EXPECT_THAT(reply.nodes(0).reactor_addresses(), ElementsAre("10.0.2.1:7500", "10.0.2.1:7501"));
}

TEST_F(LocateTest, PositionsGoOnFromTheFirstOne) {
  const v1::LocateReply reply = Answer(Ask(40, /*first_position=*/64));
  ASSERT_LE(reply.placement_size(), 2);
  EXPECT_EQ(reply.placement(0).first_index(), 0u);
  const Place head = PlaceRun(Key(0), members).value();
  EXPECT_EQ(Told(reply, reply.placement())[0].node, head.node);
}

TEST_F(LocateTest, ALongestChainIsAnsweredWhole) {
  Hold(0, kLocateKeysMax / 2, 1);
  const v1::LocateReply reply = Answer(Ask(kLocateKeysMax));
  const std::vector<Stretch> available = Told(reply, reply.available());
  ASSERT_EQ(available.size(), 1u);
  uint64_t blocks = available[0].count;
  for (const auto& run : reply.placement()) blocks += run.count();
  EXPECT_EQ(blocks, kLocateKeysMax);
}

TEST_F(LocateTest, BadQuestionsNameTheField) {
  v1::LocateRequest none = Ask(1);
  none.clear_keys();
  v1::LocateRequest odd = Ask(2);
  odd.mutable_keys()->pop_back();
  const std::pair<v1::LocateRequest, const char*> bad[] = {
      {none, "keys"},
      {odd, "keys"},
      {Ask(kLocateKeysMax + 1), "keys"},
      {Ask(4, 33), "first_position"},
      {Ask(4, 3), "first_position"},
      {Ask(1, UINT32_MAX), "first_position"},
      {Ask(64, kChainPositionMax - 31), "first_position"},
  };
  for (const auto& [request, field] : bad) {
    const absl::Status status = Locate(request, kTenant, index, members).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
  EXPECT_TRUE(Locate(Ask(32, kChainPositionMax - 31), kTenant, index, members).ok());
}

}  // namespace
}  // namespace cairn
