#include "server/node/coordinator_link.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/version.h"
#include "tests/transport/control/held_channel.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = v1::ReportRequest;

struct CoordinatorLinkTest : ::testing::Test {
  CoordinatorLinkTest() {
    facts.identity.id.bytes[0] = std::byte{9};
    facts.identity.incarnation = 4;
    facts.reactor_addresses = {"10.0.2.1:7500"};
    facts.capacity_bytes = 1u << 30;
    facts.report_interval = absl::Milliseconds(5);
    facts.fill_heartbeat = [this](v1::HeartbeatRequest& request) { request.set_ready(ready); };
    facts.serves = [this] { return ready; };
    auto held = std::make_unique<testing::HeldChannel>("coordinator:7400");
    channel = held.get();
    link = std::make_unique<CoordinatorLink>(std::move(held), facts, clock);
  }

  void RunFor(absl::Duration duration) {
    const Instant end = clock.Now() + duration;
    while (clock.Now() < end) {
      clock.RunFor(absl::Milliseconds(1));
      link->Poll();
    }
  }
  bool Called(const std::string& method) const { return channel->Called(method); }
  // Of the oldest call of this method, which is or soon will be there.
  template <typename Request>
  Request Answer(const std::string& method, absl::StatusOr<std::string> reply) {
    RunFor(absl::Milliseconds(10));
    const auto request = channel->Answer<Request>(method, std::move(reply));
    link->Poll();
    return request;
  }
  v1::RegisterNodeRequest AnswerRegister(bool snapshot_wanted = true) {
    v1::RegisterNodeReply reply;
    reply.set_cluster_id(std::string(16, 'c'));
    reply.set_heartbeat_interval_ms(1000);
    reply.add_token_keys(std::string(32, 'k'));
    reply.set_snapshot_wanted(snapshot_wanted);
    return Answer<v1::RegisterNodeRequest>("RegisterNode", reply.SerializeAsString());
  }
  v1::HeartbeatRequest AnswerHeartbeat(bool known = true, bool snapshot_wanted = false) {
    v1::HeartbeatReply reply;
    reply.set_known(known);
    reply.add_token_keys(std::string(32, 'k'));
    reply.set_snapshot_wanted(snapshot_wanted);
    return Answer<v1::HeartbeatRequest>("Heartbeat", reply.SerializeAsString());
  }
  v1::ReportRequest AnswerReport(bool snapshot_wanted = false) {
    v1::ReportReply reply;
    reply.set_snapshot_wanted(snapshot_wanted);
    return Answer<v1::ReportRequest>("Report", reply.SerializeAsString());
  }
  v1::ReportRequest FailReport(const absl::Status& status) {
    return Answer<v1::ReportRequest>("Report", status);
  }
  static InventoryChange Change(uint8_t number) {
    InventoryChange change{};
    change.key.bytes[0] = std::byte{number};
    change.tenant = 1;
    change.change = kInventoryAdded;
    return change;
  }
  // The first bytes of the keys that a report names.
  static std::vector<int> Named(const v1::ReportRequest& report) {
    std::vector<int> named;
    const auto changes = DecodeInventory(report.changes()).value();
    for (const InventoryChange& change : changes) {
      named.push_back(static_cast<int>(change.key.bytes[0]));
    }
    return named;
  }
  // Registered, and an empty snapshot told.
  void Join() {
    AnswerRegister();
    AnswerHeartbeat();
    ASSERT_TRUE(link->snapshot_wanted());
    TellSnapshot({});
  }
  void TellSnapshot(const std::vector<uint8_t>& blocks) {
    link->BeginSnapshot();
    for (const uint8_t block : blocks) link->Add(Change(block));
    link->EndSnapshot();
    while (!link->reported()) AnswerReport();
  }

  SimScheduler clock{1};
  bool ready = true;
  CoordinatorLink::NodeFacts facts;
  testing::HeldChannel* channel = nullptr;
  std::unique_ptr<CoordinatorLink> link;
};

TEST_F(CoordinatorLinkTest, RegistersWithItsFacts) {
  const v1::RegisterNodeRequest request = AnswerRegister();
  EXPECT_EQ(request.node_id().size(), sizeof(NodeId));
  EXPECT_EQ(request.incarnation(), 4u);
  EXPECT_EQ(request.capacity_bytes(), 1u << 30);
  EXPECT_EQ(request.version(), Version());
  EXPECT_THAT(request.reactor_addresses(), ElementsAre("10.0.2.1:7500"));
  EXPECT_THAT(request.cluster_id(), IsEmpty());
  ASSERT_EQ(link->token_keys().size(), 1u);
  EXPECT_EQ(link->token_keys()[0][0], std::byte{'k'});
}

TEST_F(CoordinatorLinkTest, AsksAgainAfterEachRefusedRegistration) {
  for (int i = 0; i < 5; ++i) {
    Answer<v1::RegisterNodeRequest>("RegisterNode", absl::UnavailableError("nobody"));
    RunFor(absl::Milliseconds(100));
    EXPECT_FALSE(Called("RegisterNode"));
    RunFor(absl::Milliseconds(200));
    EXPECT_TRUE(Called("RegisterNode"));
  }
  EXPECT_FALSE(link->known());
}

TEST_F(CoordinatorLinkTest, IsKnownOnceAHeartbeatSaidReady) {
  AnswerRegister();
  EXPECT_FALSE(link->known());
  AnswerHeartbeat();
  EXPECT_TRUE(link->known());
  ready = false;
  RunFor(absl::Seconds(1));
  EXPECT_FALSE(AnswerHeartbeat().ready());
  EXPECT_FALSE(link->known());
}

TEST_F(CoordinatorLinkTest, TellsAtOnceThatItServesOrNoLongerDoes) {
  ready = false;
  AnswerRegister();
  EXPECT_FALSE(AnswerHeartbeat().ready());
  RunFor(absl::Milliseconds(10));
  EXPECT_FALSE(Called("Heartbeat"));
  for (const bool now : {true, false}) {
    ready = now;
    RunFor(absl::Milliseconds(10));
    ASSERT_TRUE(Called("Heartbeat"));
    EXPECT_EQ(AnswerHeartbeat().ready(), now);
    EXPECT_EQ(link->known(), now);
  }
}

TEST_F(CoordinatorLinkTest, RemembersARefusalUntilItIsTaken) {
  Answer<v1::RegisterNodeRequest>("RegisterNode", absl::UnavailableError("nobody"));
  EXPECT_TRUE(link->refusal().ok());
  RunFor(absl::Milliseconds(300));
  Answer<v1::RegisterNodeRequest>("RegisterNode", absl::FailedPreconditionError("not ours"));
  EXPECT_EQ(link->refusal().message(), "not ours");
  RunFor(absl::Milliseconds(300));
  AnswerRegister();
  EXPECT_TRUE(link->refusal().ok());
}

TEST_F(CoordinatorLinkTest, BeatsAtTheCoordinatorsInterval) {
  AnswerRegister();
  AnswerHeartbeat();
  RunFor(absl::Milliseconds(900));
  EXPECT_FALSE(Called("Heartbeat"));
  RunFor(absl::Milliseconds(150));
  EXPECT_TRUE(Called("Heartbeat"));
  RunFor(absl::Seconds(10));
  EXPECT_EQ(channel->waiting(), 1u) << "one at a time";
}

TEST_F(CoordinatorLinkTest, OddTokenKeysAreLeftOut) {
  v1::RegisterNodeReply reply;
  reply.set_heartbeat_interval_ms(1000);
  reply.add_token_keys("short");
  reply.add_token_keys(std::string(32, 'x'));
  Answer<v1::RegisterNodeRequest>("RegisterNode", reply.SerializeAsString());
  ASSERT_EQ(link->token_keys().size(), 1u);
  EXPECT_EQ(link->token_keys()[0][0], std::byte{'x'});
}

TEST_F(CoordinatorLinkTest, NothingIsToldBeforeASnapshotWasBegun) {
  link->Add(Change(1));
  AnswerRegister();
  link->Add(Change(2));
  RunFor(absl::Milliseconds(100));
  EXPECT_FALSE(Called("Report"));
  EXPECT_TRUE(link->snapshot_wanted());
}

TEST_F(CoordinatorLinkTest, ASnapshotIsFramedAndWhatFollowsIsADelta) {
  AnswerRegister();
  link->BeginSnapshot();
  EXPECT_FALSE(link->snapshot_wanted());
  link->Add(Change(1));
  link->Add(Change(2));
  link->EndSnapshot();
  link->Add(Change(3));
  std::vector<int> named;
  uint64_t sequence = 0;
  std::vector<Kind::Kind> kinds;
  while (!link->reported()) {
    const v1::ReportRequest report = AnswerReport();
    for (const int key : Named(report)) named.push_back(key);
    EXPECT_TRUE(kinds.empty() || report.sequence() == sequence + 1);
    sequence = report.sequence();
    kinds.push_back(report.kind());
  }
  EXPECT_THAT(named, ElementsAre(1, 2, 3));
  EXPECT_EQ(kinds.front(), Kind::SNAPSHOT_BEGIN);
  EXPECT_EQ(kinds.back(), Kind::DELTA);
  EXPECT_THAT(kinds, ::testing::Contains(Kind::SNAPSHOT_END));
}

TEST_F(CoordinatorLinkTest, ChangesAreBatchedWhileAReportIsOnItsWay) {
  Join();
  link->Add(Change(1));
  RunFor(absl::Milliseconds(10));
  link->Add(Change(2));
  link->Add(Change(3));
  EXPECT_THAT(Named(AnswerReport()), ElementsAre(1));
  EXPECT_THAT(Named(AnswerReport()), ElementsAre(2, 3));
  EXPECT_TRUE(link->reported());
}

TEST_F(CoordinatorLinkTest, AnUnansweredReportIsSentAgainUnderItsNumber) {
  Join();
  link->Add(Change(1));
  const uint64_t sequence = FailReport(absl::DeadlineExceededError("")).sequence();
  EXPECT_FALSE(link->reported());
  RunFor(absl::Milliseconds(300));
  const v1::ReportRequest again = FailReport(absl::UnavailableError(""));
  EXPECT_EQ(again.sequence(), sequence);
  EXPECT_THAT(Named(again), ElementsAre(1));
  RunFor(absl::Milliseconds(300));
  EXPECT_EQ(AnswerReport().sequence(), sequence);
  EXPECT_TRUE(link->reported());
  EXPECT_FALSE(Called("RegisterNode")) << "a silent coordinator keeps what it knows";
}

TEST_F(CoordinatorLinkTest, ACoordinatorThatWantsASnapshotGetsOne) {
  Join();
  link->Add(Change(1));
  AnswerReport(/*snapshot_wanted=*/true);
  EXPECT_TRUE(link->snapshot_wanted());
  link->Add(Change(2));
  RunFor(absl::Milliseconds(100));
  EXPECT_FALSE(Called("Report")) << "the snapshot tells it";
  link->BeginSnapshot();
  EXPECT_EQ(AnswerReport().kind(), Kind::SNAPSHOT_BEGIN);
}

TEST_F(CoordinatorLinkTest, AHeartbeatMayWantASnapshotToo) {
  Join();
  RunFor(absl::Seconds(1));
  AnswerHeartbeat(/*known=*/true, /*snapshot_wanted=*/true);
  EXPECT_TRUE(link->snapshot_wanted());
}

TEST_F(CoordinatorLinkTest, ACoordinatorThatForgotItIsRegisteredWithAgain) {
  Join();
  RunFor(absl::Seconds(1));
  AnswerHeartbeat(/*known=*/false);
  EXPECT_FALSE(link->known());
  EXPECT_EQ(AnswerRegister().cluster_id(), std::string(16, 'c'));
  EXPECT_TRUE(link->snapshot_wanted());
}

TEST_F(CoordinatorLinkTest, WhatWasNotAcknowledgedIsToldBySnapshotAfterARegistration) {
  Join();
  link->Add(Change(1));
  FailReport(absl::InternalError("the reply does not parse"));
  link->Add(Change(2));
  RunFor(absl::Milliseconds(300));
  // It knows the incarnation and has seen no gap.
  AnswerRegister(/*snapshot_wanted=*/false);
  EXPECT_TRUE(link->snapshot_wanted()) << "else both changes are never told";
}

TEST_F(CoordinatorLinkTest, NumbersGoOnAfterARegistrationInTheSameLife) {
  Join();
  link->Add(Change(1));
  const uint64_t before = AnswerReport().sequence();
  RunFor(absl::Seconds(1));
  Answer<v1::HeartbeatRequest>("Heartbeat", absl::InternalError(""));
  AnswerRegister(/*snapshot_wanted=*/false);
  TellSnapshot({1});
  link->Add(Change(2));
  const v1::ReportRequest next = AnswerReport();
  EXPECT_GT(next.sequence(), before) << "a lower number looks like one applied already";
}

TEST_F(CoordinatorLinkTest, AnAnswerFromBeforeARegistrationSettlesNothingOfAfterIt) {
  Join();
  link->Add(Change(1));
  RunFor(absl::Milliseconds(10));
  ASSERT_TRUE(Called("Report"));
  RunFor(absl::Seconds(1));
  Answer<v1::HeartbeatRequest>("Heartbeat", absl::InternalError(""));
  AnswerRegister();
  link->BeginSnapshot();
  EXPECT_EQ(AnswerReport().kind(), Kind::DELTA) << "the old one";
  EXPECT_FALSE(link->reported());
  EXPECT_EQ(AnswerReport().kind(), Kind::SNAPSHOT_BEGIN);
}

TEST_F(CoordinatorLinkTest, TooManyWaitingChangesBecomeASnapshot) {
  Join();
  for (size_t i = 0; i <= 4 * kInventoryChangesMax; ++i) link->Add(Change(1));
  EXPECT_TRUE(link->snapshot_wanted());
  link->BeginSnapshot();
  link->EndSnapshot();
  RunFor(absl::Milliseconds(10));
  std::set<Kind::Kind> kinds;
  while (!link->reported()) kinds.insert(AnswerReport().kind());
  EXPECT_TRUE(kinds.contains(Kind::SNAPSHOT_END));
}

TEST_F(CoordinatorLinkTest, NoReportIsLargerThanTheCoordinatorTakes) {
  Join();
  for (size_t i = 0; i < kInventoryChangesMax + 10; ++i) link->Add(Change(1));
  size_t told = 0;
  while (!link->reported()) {
    const size_t changes = AnswerReport().changes().size() / sizeof(InventoryChange);
    EXPECT_LE(changes, kInventoryChangesMax);
    told += changes;
  }
  EXPECT_EQ(told, kInventoryChangesMax + 10);
}

}  // namespace
}  // namespace cairn
