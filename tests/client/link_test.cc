// Connections to nodes and sessions with coordinators, as transfers meet them.
#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using wire::MissReason;

struct ClientLink : testing::ClientFixture {};

TEST_F(ClientLink, OneConnectionServesManyTransfers) {
  Start();
  for (uint64_t number = 1; number <= 5; ++number) {
    ASSERT_EQ(GetReason(number), MissReason::kNone);
  }
  EXPECT_EQ(node.connected.size(), 2u) << "control and bulk";
  EXPECT_EQ(client->statistics().reconnects, 0u);
}

TEST_F(ClientLink, KnownPlacesAreNotAskedForAgain) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  ASSERT_EQ(located, 1);
  done.clear();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  EXPECT_EQ(located, 1);
}

TEST_F(ClientLink, AMissForgetsThePlace) {
  Start();
  node.delivers = false;
  ASSERT_TRUE(Get(1).ok());
  ASSERT_TRUE(UntilFetched());
  node.FailBlock(node.fetches[0].request, 0, MissReason::kAbsent);
  ASSERT_EQ(ReasonOf(1), MissReason::kAbsent);
  node.delivers = true;
  done.clear();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  EXPECT_EQ(located, 2);
}

TEST_F(ClientLink, WhatIsNowhereIsAbsent) {
  available = false;
  Start();
  EXPECT_EQ(GetReason(1), MissReason::kAbsent);
  EXPECT_TRUE(node.fetches.empty());
}

TEST_F(ClientLink, ABrokenConnectionIsMadeAgain) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  node.HangUp();
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(GetReason(2), MissReason::kNone);
  EXPECT_EQ(client->statistics().reconnects, 1u);
}

TEST_F(ClientLink, WhatIsInFlightWhenItBreaksIsNodeDown) {
  Start();
  node.delivers = false;
  ASSERT_TRUE(Get(1).ok());
  ASSERT_TRUE(UntilFetched());
  node.HangUp();
  EXPECT_EQ(ReasonOf(1), MissReason::kNodeDown);
}

TEST_F(ClientLink, ARefusedTokenAsksForANewSession) {
  node.hello_status = MissReason::kSession;
  Start();
  EXPECT_EQ(GetReason(1), MissReason::kSession);
  EXPECT_TRUE(Until([this] { return sessions_opened == 2; }, absl::Seconds(5)));
  node.hello_status = MissReason::kNone;
  RunFor(absl::Seconds(1));
  EXPECT_EQ(GetReason(2), MissReason::kNone);
}

TEST_F(ClientLink, AnUnknownVersionIsNamed) {
  node.hello_status = MissReason::kVersion;
  Start();
  EXPECT_EQ(GetReason(1), MissReason::kVersion);
}

TEST_F(ClientLink, AMessageThatIsNoneEndsTheConnection) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  node.delivers = false;
  ASSERT_TRUE(Get(2).ok());
  ASSERT_TRUE(UntilFetched(2));
  const std::vector<std::byte> garbage(64, std::byte{0x5a});
  node.SendToAll(garbage);
  EXPECT_EQ(ReasonOf(2), MissReason::kVersion);
}

TEST_F(ClientLink, ANodeThatNeverSaysHelloIsGivenUpAfterTheTimeout) {
  options.connect_timeout = absl::Milliseconds(300);
  node.answers_hello = false;
  Start();
  const Instant begin = world.scheduler().Now();
  EXPECT_EQ(GetReason(1), MissReason::kNodeDown);
  EXPECT_GE(world.scheduler().Now() - begin, absl::Milliseconds(300));
  EXPECT_LE(world.scheduler().Now() - begin, absl::Milliseconds(310));
}

TEST_F(ClientLink, ADrainingNodeTakesNoPutsAndServesGets) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  wire::Goodbye goodbye{};
  wire::Seal(goodbye, wire::MessageType::kGoodbye);
  node.SendToAll(wire::AsBytes(goodbye));
  RunFor(absl::Milliseconds(10));
  ASSERT_TRUE(Put(2).ok());
  EXPECT_EQ(ReasonOf(2), MissReason::kDraining);
  EXPECT_TRUE(node.puts.empty());
  EXPECT_EQ(GetReason(3), MissReason::kNone);
}

TEST_F(ClientLink, AnIdleConnectionIsPingedAtItsInterval) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  RunFor(options.heartbeat_interval * 10 + absl::Milliseconds(500));
  EXPECT_EQ(node.pings, 10u);
  EXPECT_EQ(node.connected.size(), 2u);
}

TEST_F(ClientLink, ThreeUnansweredPingsEndTheConnection) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  node.answers_pings = false;
  node.delivers = false;
  ASSERT_TRUE(Get(2, absl::Seconds(20)).ok());
  const Instant begin = world.scheduler().Now();
  EXPECT_EQ(ReasonOf(2), MissReason::kNodeDown);
  const absl::Duration took = world.scheduler().Now() - begin;
  EXPECT_GE(took, options.heartbeat_interval * 3 - absl::Milliseconds(100));
  EXPECT_LE(took, options.heartbeat_interval * 4 + absl::Milliseconds(100));
}

TEST_F(ClientLink, ARestartThatACoordinatorTellsOfIsBelieved) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  node.incarnation = 8;
  EXPECT_EQ(GetReason(2), MissReason::kNone);
  EXPECT_EQ(node.connected.size(), 4u) << "the session was with an earlier life";
}

TEST_F(ClientLink, WithoutACoordinatorTransfersWaitUntilTheirDeadlineOrTheRefusal) {
  coordinator_answers = false;
  Start();
  EXPECT_EQ(GetReason(1, absl::Milliseconds(100)), MissReason::kNoCoordinator);
  EXPECT_EQ(done.at(1).code, absl::StatusCode::kUnavailable);
  ASSERT_TRUE(Get(2).ok());
  coordinator_answers = true;
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(client->ready());
  EXPECT_EQ(GetReason(3), MissReason::kNone);
}

TEST_F(ClientLink, BytesInFlightAreBounded) {
  options.inflight_bytes_max = 1u << 20;
  node.delivers = false;
  Start();
  for (uint64_t number = 1; number <= 40; ++number) ASSERT_TRUE(Get(number).ok());
  RunFor(absl::Milliseconds(100));
  EXPECT_EQ(node.owed_bytes(), 1u << 20);
  size_t answered = 0;
  while (answered < node.fetches.size()) {
    const testing::FakeNode::FetchSeen fetch = node.fetches[answered++];
    for (uint16_t i = 0; i < fetch.blocks.size(); ++i) node.SendBlock(fetch, i, {});
    RunFor(absl::Milliseconds(20));
    ASSERT_LE(node.owed_bytes(), 1u << 20);
  }
  EXPECT_EQ(done.size(), 40u);
}

}  // namespace
}  // namespace cairn
