#include "server/coordinator/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hex.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using testing::Beat;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Node;
using testing::Registration;

constexpr absl::Duration kTimeout = absl::Seconds(3);
constexpr absl::Duration kStep = absl::Milliseconds(100);

struct MembershipTest : ::testing::Test {
  absl::StatusOr<NodeSlot> Register(const v1::RegisterNodeRequest& request) {
    return members.Register(request, &restarted);
  }
  // A node that announced itself ready.
  NodeSlot Join(uint64_t node, uint64_t incarnation = 1) {
    EXPECT_TRUE(Register(Registration(node, incarnation)).ok());
    return members.Heartbeat(Beat(node, incarnation)).value();
  }
  // As the coordinator steps while it runs.
  void RunFor(absl::Duration duration) {
    const Instant end = clock.Now() + duration;
    while (clock.Now() < end) {
      clock.RunFor(kStep);
      members.Step();
    }
  }
  // As after SIGSTOP and SIGCONT of the coordinator.
  void Sleep(absl::Duration duration) { clock.RunFor(duration); }
  const Member& member(NodeSlot slot) const { return members.member(slot); }

  SimScheduler clock{1};
  Membership members{kTimeout, clock};
  bool restarted = false;
};

TEST_F(MembershipTest, ARegisteredNodeIsNotReadyUntilItSaysSo) {
  const NodeSlot slot = Register(Registration(1)).value();
  EXPECT_FALSE(member(slot).ready());
  ASSERT_EQ(members.Heartbeat(Beat(1)).value(), slot);
  EXPECT_TRUE(member(slot).ready());
  ASSERT_TRUE(members.Heartbeat(Beat(1, 1, /*ready=*/false)).ok());
  EXPECT_FALSE(member(slot).ready());
}

TEST_F(MembershipTest, RegistrationIsKept) {
  v1::RegisterNodeRequest request = Registration(1, 5, 3, 123456);
  request.set_http_address("10.0.2.1:9400");
  request.set_version("1.2.3");
  const Member& joined = member(Register(request).value());
  EXPECT_EQ(joined.id, Node(1));
  EXPECT_EQ(joined.incarnation, 5u);
  EXPECT_EQ(joined.capacity_bytes, 123456u);
  EXPECT_EQ(joined.http_address, "10.0.2.1:9400");
  EXPECT_EQ(joined.version, "1.2.3");
  EXPECT_THAT(joined.reactor_addresses,
              ElementsAre("10.0.2.1:7500", "10.0.2.1:7501", "10.0.2.1:7502"));
}

TEST_F(MembershipTest, ANewIncarnationTakesItsSlotOverAndMustAnnounceItselfAgain) {
  const NodeSlot slot = Join(1, 1);
  EXPECT_EQ(Register(Registration(1, 2)).value(), slot);
  EXPECT_TRUE(restarted);
  EXPECT_FALSE(member(slot).ready());
  EXPECT_EQ(members.size(), 1u);
}

TEST_F(MembershipTest, ANewIncarnationHasCountedNothing) {
  v1::HeartbeatRequest beat = Beat(1);
  beat.mutable_counters()->set_evicted_blocks(5);
  const NodeSlot slot = Join(1);
  ASSERT_TRUE(members.Heartbeat(beat).ok());
  ASSERT_TRUE(Register(Registration(1, 1)).ok());
  EXPECT_EQ(member(slot).last_report.counters().evicted_blocks(), 5u) << "the same life";
  ASSERT_TRUE(Register(Registration(1, 2)).ok());
  EXPECT_EQ(member(slot).last_report.counters().evicted_blocks(), 0u);
}

TEST_F(MembershipTest, RegisteringAgainInOneLifeIsNoRestart) {
  const NodeSlot slot = Join(1, 1);
  EXPECT_EQ(Register(Registration(1, 1)).value(), slot);
  EXPECT_FALSE(restarted);
  EXPECT_TRUE(member(slot).ready());
}

TEST_F(MembershipTest, AnOldIncarnationIsFencedEverywhere) {
  Join(1, 7);
  const absl::Status refused = Register(Registration(1, 6)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("incarnation"));
  EXPECT_TRUE(absl::IsNotFound(members.Heartbeat(Beat(1, 6)).status()));
  EXPECT_TRUE(absl::IsNotFound(members.Heartbeat(Beat(1, 8)).status()));
  EXPECT_TRUE(absl::IsNotFound(members.Find(Node(1), 6).status()));
  EXPECT_TRUE(members.Find(Node(1), 7).ok());
  EXPECT_TRUE(member(0).ready());
}

TEST_F(MembershipTest, AnUnknownNodeMustRegister) {
  EXPECT_TRUE(absl::IsNotFound(members.Heartbeat(Beat(1)).status()));
  EXPECT_TRUE(absl::IsNotFound(members.Find(Node(1), 1).status()));
}

TEST_F(MembershipTest, BadRegistrationsNameTheFieldAndLeaveNoTrace) {
  v1::RegisterNodeRequest no_reactor = Registration(1, 1, 0);
  v1::RegisterNodeRequest many_reactors = Registration(1, 1, 257);
  v1::RegisterNodeRequest no_incarnation = Registration(1, 0);
  v1::RegisterNodeRequest no_capacity = Registration(1, 1, 1, 0);
  v1::RegisterNodeRequest short_id = Registration(1);
  short_id.set_node_id("short");
  const std::pair<v1::RegisterNodeRequest, const char*> bad[] = {
      {no_reactor, "reactor_addresses"},
      {many_reactors, "reactor_addresses"},
      {no_incarnation, "incarnation"},
      {no_capacity, "capacity_bytes"},
      {short_id, "node_id"},
  };
  for (const auto& [request, field] : bad) {
    const absl::Status status = Register(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
  EXPECT_EQ(members.size(), 0u);
  v1::HeartbeatRequest beat = Beat(1);
  beat.set_node_id(std::string(17, 'x'));
  EXPECT_THAT(std::string(members.Heartbeat(beat).status().message()), HasSubstr("node_id"));
}

TEST_F(MembershipTest, TooManyNodesAreRefusedAndTheKnownOnesMayComeBack) {
  for (uint64_t node = 0; node < kNodesMax; ++node) {
    ASSERT_TRUE(Register(Registration(node)).ok());
  }
  EXPECT_EQ(Register(Registration(kNodesMax)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Register(Registration(17, 2)).ok());
}

TEST_F(MembershipTest, ASilentNodeIsLostAfterTheTimeoutAndNotBefore) {
  const NodeSlot silent = Join(1);
  const NodeSlot talking = Join(2);
  RunFor(kTimeout);
  EXPECT_TRUE(member(silent).ready());
  ASSERT_TRUE(members.Heartbeat(Beat(2)).ok());
  RunFor(2 * kStep);
  EXPECT_TRUE(member(silent).lost);
  EXPECT_FALSE(member(silent).ready());
  EXPECT_TRUE(member(talking).ready());
}

TEST_F(MembershipTest, ALostNodeComesBackWithItsNextHeartbeat) {
  const NodeSlot slot = Join(1);
  RunFor(2 * kTimeout);
  ASSERT_FALSE(member(slot).ready());
  ASSERT_TRUE(members.Heartbeat(Beat(1)).ok());
  EXPECT_TRUE(member(slot).ready());
  RunFor(kTimeout);
  EXPECT_TRUE(member(slot).ready());
}

TEST_F(MembershipTest, LostForCountsFromTheLastHeartbeat) {
  Join(1);
  Join(2);
  RunFor(absl::Seconds(10));
  EXPECT_THAT(members.LostFor(absl::Seconds(9)), ElementsAre(0, 1));
  EXPECT_THAT(members.LostFor(absl::Seconds(11)), IsEmpty());
  ASSERT_TRUE(members.Heartbeat(Beat(2)).ok());
  EXPECT_THAT(members.LostFor(absl::Seconds(9)), ElementsAre(0));
}

TEST_F(MembershipTest, ACoordinatorThatSleptDeclaresNobodyLost) {
  const NodeSlot slot = Join(1);
  RunFor(absl::Seconds(1));
  Sleep(absl::Minutes(10));
  members.Step();
  EXPECT_TRUE(member(slot).ready());
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(member(slot).ready());
  RunFor(kTimeout);
  EXPECT_FALSE(member(slot).ready());
}

TEST_F(MembershipTest, AHeartbeatHeardBeforeTheFirstStepAfterASleepIsNotCountedTwice) {
  const NodeSlot slot = Join(1);
  Sleep(absl::Minutes(10));
  ASSERT_TRUE(members.Heartbeat(Beat(1)).ok());
  members.Step();
  EXPECT_LE(member(slot).last_heartbeat, clock.Now());
  RunFor(kTimeout + 2 * kStep);
  EXPECT_FALSE(member(slot).ready()) << "dead for " << kTimeout << " and still named";
}

TEST_F(MembershipTest, AHeartbeatMayChangeTheCapacityButNotToNothing) {
  const NodeSlot slot = Join(1);
  v1::HeartbeatRequest beat = Beat(1);
  beat.set_capacity_bytes(77);
  beat.set_used_bytes(33);
  ASSERT_TRUE(members.Heartbeat(beat).ok());
  EXPECT_EQ(member(slot).capacity_bytes, 77u);
  EXPECT_EQ(member(slot).last_report.used_bytes(), 33u);
  ASSERT_TRUE(members.Heartbeat(Beat(1)).ok());
  EXPECT_EQ(member(slot).capacity_bytes, 77u);
}

TEST_F(MembershipTest, ANodeIsFoundByItsIdOrTheFirstDigits) {
  const NodeSlot first = Join(1);
  const NodeSlot second = Join(2);
  const std::string whole = HexEncode(Node(2).bytes);
  EXPECT_EQ(members.FindByDigits(whole).value(), second);
  EXPECT_EQ(members.FindByDigits(whole.substr(0, 8)).value(), second);
  EXPECT_EQ(members.FindByDigits(HexEncode(Node(1).bytes).substr(0, kNodeDigitsMin)).value(),
            first);
}

TEST_F(MembershipTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_THAT(members.FindByDigits("0000").status().message(), HasSubstr("none is known"));
  Join(1);
  const absl::Status unknown = members.FindByDigits(HexEncode(Node(2).bytes)).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(unknown.message(), HasSubstr("known: " + HexEncode(Node(1).bytes).substr(0, 8)));
  for (const char* digits : {"", "abc"}) {
    EXPECT_EQ(members.FindByDigits(digits).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(MembershipTest, DigitsThatTwoNodesShareNameNeither) {
  for (const char last : {1, 2}) {
    v1::RegisterNodeRequest twin = Registration(1);
    twin.mutable_node_id()->back() = last;
    ASSERT_TRUE(Register(twin).ok());
  }
  const std::string shared = HexEncode(Node(1).bytes).substr(0, 30);
  const absl::Status status = members.FindByDigits(shared).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("2 begin with"));
  EXPECT_TRUE(members.FindByDigits(shared + "01").ok());
}

TEST_F(MembershipTest, OnlyALostNodeIsForgotten) {
  const NodeSlot slot = Join(1);
  const absl::Status alive = members.Forget(slot);
  EXPECT_EQ(alive.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(alive.message(), HasSubstr("end its process first, it is lost after 3s of silence"));
  EXPECT_FALSE(member(slot).forgotten);
  RunFor(kTimeout + 2 * kStep);
  EXPECT_TRUE(members.Forget(slot).ok());
  EXPECT_TRUE(member(slot).forgotten);
}

TEST_F(MembershipTest, AForgottenNodeIsUnknownUntilItRegistersAgain) {
  const NodeSlot slot = Join(1, 5);
  RunFor(kTimeout + 2 * kStep);
  ASSERT_TRUE(members.Forget(slot).ok());
  EXPECT_TRUE(absl::IsNotFound(members.Heartbeat(Beat(1, 5)).status()));
  EXPECT_TRUE(absl::IsNotFound(members.FindByDigits(HexEncode(Node(1).bytes)).status()));
  EXPECT_EQ(Register(Registration(1, 4)).status().code(), absl::StatusCode::kFailedPrecondition)
      << "an older process";
  EXPECT_EQ(Join(1, 5), slot);
  EXPECT_TRUE(member(slot).ready());
}

}  // namespace
}  // namespace cairn
