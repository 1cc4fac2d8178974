// Stop, crash and boot of a simulated host, and its clocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/transport/sim/sim_pair.h"

namespace cairn {
namespace {

using testing::AsBytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kServerIp;
using testing::Pair;
using testing::Peer;

TEST(SimHost, AStoppedProcessHandlesNothingUntilItContinues) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.server->host().Stop();
  ASSERT_TRUE(pair.client->worker().SendMessage(endpoint, AsBytes("hi")).ok());
  pair.RunFor(absl::Seconds(30));
  EXPECT_THAT(pair.server->messages, IsEmpty());
  EXPECT_THAT(pair.client->failures, IsEmpty());
  pair.server->host().Continue();
  pair.RunFor(absl::Milliseconds(1));
  EXPECT_THAT(pair.server->messages, ElementsAre("hi"));
}

TEST(SimHost, AKilledProcessResetsItsPeersAndRefusesNewOnes) {
  Pair pair;
  pair.Connect();
  pair.server->host().Crash(SimCrash::kProcess);
  pair.server.reset();
  pair.RunFor(absl::Milliseconds(1));
  ASSERT_EQ(pair.client->failures.size(), 1u);
  EXPECT_THAT(pair.client->failures[0].ToString(), HasSubstr("reset"));
  ASSERT_TRUE(pair.client->worker().Connect(pair.address).ok());
  pair.RunFor(absl::Milliseconds(1));
  ASSERT_EQ(pair.client->failures.size(), 2u);
  EXPECT_THAT(pair.client->failures[1].ToString(), HasSubstr("refused"));
}

TEST(SimHost, AHostWithoutPowerIsSilentAndResetsAfterItsBoot) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.server->host().Crash(SimCrash::kPower);
  pair.server.reset();
  ASSERT_TRUE(pair.client->worker().SendMessage(endpoint, AsBytes("hi")).ok());
  pair.RunFor(absl::Seconds(5));
  EXPECT_THAT(pair.client->failures, IsEmpty());
  pair.world.host(kServerIp).Boot();
  pair.RunFor(absl::Seconds(2));
  EXPECT_EQ(pair.client->failures.size(), 1u);
}

TEST(SimHost, ABootedHostServesAgainWithItsDisk) {
  Pair pair;
  SimHost& host = pair.server->host();
  ASSERT_TRUE(host.disk().WriteFileAtomically("id", "n1", 0600).ok());
  host.Crash(SimCrash::kProcess);
  pair.server.reset();
  host.Boot();
  pair.server = std::make_unique<Peer>(host);
  ASSERT_EQ(*pair.server->worker().Listen(pair.address), pair.address);
  pair.Connect();
  EXPECT_EQ(*host.disk().ReadFile("id"), "n1");
}

TEST(SimHost, ADeadProcessHasNoUseOfTheNetwork) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.client->host().Crash(SimCrash::kProcess);
  Worker& worker = pair.client->worker();
  EXPECT_EQ(worker.SendMessage(endpoint, AsBytes("x")).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(worker.Connect(pair.address).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(worker.Listen("10.0.0.1:0").status().code(), absl::StatusCode::kUnavailable);
  worker.Close(endpoint);
  worker.Poll(*pair.client);
  EXPECT_EQ(pair.client->closed, 1);
}

TEST(SimHost, ClocksShareTheRateButNotTheZero) {
  Pair pair;
  Clock& a = pair.client->host().clock();
  Clock& b = pair.server->host().clock();
  EXPECT_NE(a.Now(), b.Now());
  const absl::Duration apart = a.Now() - b.Now();
  pair.RunFor(absl::Seconds(3));
  EXPECT_EQ(a.Now() - b.Now(), apart);
}

TEST(SimHost, AWallClockJumpLeavesTheMonotonicClockAlone) {
  Pair pair;
  SimHostClock& clock = pair.client->host().clock();
  const Instant now = clock.Now();
  const int64_t unix_seconds = clock.UnixSeconds();
  clock.JumpWallClock(-absl::Hours(1));
  EXPECT_EQ(clock.Now(), now);
  EXPECT_EQ(clock.UnixSeconds(), unix_seconds - 3600);
}

TEST(SimHost, IdleStepsRunAtTheirInterval) {
  Pair pair;
  int steps = 0;
  pair.client->host().Run([&] { return ++steps, 0; }, absl::Milliseconds(10));
  pair.RunFor(absl::Seconds(1));
  EXPECT_GE(steps, 95);
  EXPECT_LE(steps, 205);
}

}  // namespace
}  // namespace cairn
