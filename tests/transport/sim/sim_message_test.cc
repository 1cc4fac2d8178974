// Connections and messages of the simulated lane, each fault by itself.
#include <algorithm>
#include <string>
#include <vector>

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

// Sends "0" to "count-1".
std::vector<std::string> SendNumbers(Pair& pair, EndpointId endpoint, int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back(std::to_string(i));
    EXPECT_TRUE(pair.client->worker().SendMessage(endpoint, AsBytes(texts.back())).ok());
  }
  return texts;
}

TEST(SimMessages, ArriveInOrderBothWays) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  const std::vector<std::string> texts = SendNumbers(pair, endpoint, 200);
  ASSERT_TRUE(pair.server->worker().SendMessage(pair.server->accepted[0], AsBytes("hi")).ok());
  ASSERT_TRUE(pair.Until([&] { return pair.server->messages.size() == 200; }));
  EXPECT_EQ(pair.server->messages, texts);
  EXPECT_THAT(pair.client->messages, ElementsAre("hi"));
}

TEST(SimMessages, SentBeforeThePeerAcceptedAreDelivered) {
  Pair pair;
  const EndpointId endpoint = *pair.client->worker().Connect(pair.address);
  const std::vector<std::string> texts = SendNumbers(pair, endpoint, 3);
  ASSERT_TRUE(pair.Until([&] { return pair.server->messages.size() == 3; }));
  EXPECT_EQ(pair.server->messages, texts);
}

TEST(SimMessages, TakeTheLinksDelay) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().delay = absl::Milliseconds(300);
  const Instant start = pair.world.scheduler().Now();
  SendNumbers(pair, endpoint, 1);
  ASSERT_TRUE(pair.Until([&] { return !pair.server->messages.empty(); }));
  const absl::Duration took = pair.world.scheduler().Now() - start;
  EXPECT_GE(took, absl::Milliseconds(300));
  EXPECT_LE(took, absl::Milliseconds(302));
}

TEST(SimMessages, LossDelaysButKeepsOrder) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().loss_ppm = 300'000;
  const std::vector<std::string> texts = SendNumbers(pair, endpoint, 100);
  const Instant start = pair.world.scheduler().Now();
  ASSERT_TRUE(pair.Until([&] { return pair.server->messages.size() == 100; }));
  EXPECT_EQ(pair.server->messages, texts);
  EXPECT_GT(pair.world.scheduler().Now() - start, absl::Milliseconds(20));
}

TEST(SimMessages, ACutStallsUntilItHeals) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.world.SetCut(testing::kClientIp, kServerIp, true);
  SendNumbers(pair, endpoint, 1);
  pair.RunFor(absl::Seconds(5));
  EXPECT_THAT(pair.server->messages, IsEmpty());
  EXPECT_THAT(pair.client->failures, IsEmpty());
  pair.world.SetCut(testing::kClientIp, kServerIp, false);
  EXPECT_TRUE(pair.Until([&] { return !pair.server->messages.empty(); }, absl::Seconds(2)));
}

TEST(SimMessages, ALongCutFailsTheSenderAndLeavesTheSilentPeerHalfOpen) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.world.SetCut(testing::kClientIp, kServerIp, true);
  SendNumbers(pair, endpoint, 1);
  pair.RunFor(absl::Seconds(30));
  ASSERT_EQ(pair.client->failures.size(), 1u);
  EXPECT_THAT(pair.client->failures[0].ToString(), HasSubstr("timed out"));
  EXPECT_THAT(pair.server->failures, IsEmpty());
  EXPECT_EQ(pair.client->worker().SendMessage(endpoint, AsBytes("x")).code(),
            absl::StatusCode::kUnavailable);
}

TEST(SimMessages, AOneWayCutLetsTheOtherDirectionThrough) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().cut = true;
  SendNumbers(pair, endpoint, 1);
  ASSERT_TRUE(pair.server->worker().SendMessage(pair.server->accepted[0], AsBytes("hi")).ok());
  pair.RunFor(absl::Seconds(1));
  EXPECT_THAT(pair.server->messages, IsEmpty());
  EXPECT_THAT(pair.client->messages, ElementsAre("hi"));
}

TEST(SimMessages, AResetFailsBothEnds) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().reset_ppm = 1'000'000;
  SendNumbers(pair, endpoint, 1);
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(pair.client->failures.size(), 1u);
  EXPECT_EQ(pair.server->failures.size(), 1u);
  EXPECT_THAT(pair.server->messages, IsEmpty());
}

TEST(SimMessages, DuplicationIsOffUntilAskedFor) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().duplicate_ppm = 1'000'000;
  SendNumbers(pair, endpoint, 2);
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(pair.server->messages, ElementsAre("0", "0", "1", "1"));
}

TEST(SimMessages, ReorderingKeepsEachMessage) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().reorder_ppm = 500'000;
  std::vector<std::string> texts = SendNumbers(pair, endpoint, 50);
  pair.RunFor(absl::Milliseconds(50));
  EXPECT_NE(pair.server->messages, texts);
  std::sort(texts.begin(), texts.end());
  std::sort(pair.server->messages.begin(), pair.server->messages.end());
  EXPECT_EQ(pair.server->messages, texts);
}

TEST(SimMessages, HeaderCorruptionFlipsOneBit) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.link_to_server().corrupt_header_ppm = 1'000'000;
  const std::string sent(100, '\0');
  ASSERT_TRUE(pair.client->worker().SendMessage(endpoint, AsBytes(sent)).ok());
  ASSERT_TRUE(pair.Until([&] { return !pair.server->messages.empty(); }));
  int bits = 0;
  for (char c : pair.server->messages[0]) bits += __builtin_popcount(static_cast<uint8_t>(c));
  EXPECT_EQ(bits, 1);
}

TEST(SimMessages, ManyInFlightAreRefusedUntilThePeerPolls) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.server->host().Stop();
  for (size_t i = 0; i < kMessagesInFlightMax; ++i) {
    ASSERT_TRUE(pair.client->worker().SendMessage(endpoint, AsBytes("x")).ok());
  }
  EXPECT_EQ(pair.client->worker().SendMessage(endpoint, AsBytes("x")).code(),
            absl::StatusCode::kResourceExhausted);
  pair.RunFor(absl::Seconds(1));
  EXPECT_EQ(pair.client->worker().SendMessage(endpoint, AsBytes("x")).code(),
            absl::StatusCode::kResourceExhausted);
  pair.server->host().Continue();
  pair.RunFor(absl::Seconds(1));
  EXPECT_TRUE(pair.client->worker().SendMessage(endpoint, AsBytes("x")).ok());
}

TEST(SimConnect, ARefusedConnectFailsTheEndpoint) {
  Pair pair;
  ASSERT_TRUE(pair.client->worker().Connect("10.0.0.2:9").ok());
  pair.RunFor(absl::Milliseconds(10));
  ASSERT_EQ(pair.client->failures.size(), 1u);
  EXPECT_THAT(pair.client->failures[0].ToString(), HasSubstr("connection refused"));
}

TEST(SimConnect, AConnectBehindACutTimesOut) {
  Pair pair;
  pair.link_to_server().cut = true;
  ASSERT_TRUE(pair.client->worker().Connect(pair.address).ok());
  pair.RunFor(absl::Seconds(4));
  EXPECT_THAT(pair.client->failures, IsEmpty());
  pair.RunFor(absl::Seconds(4));
  ASSERT_EQ(pair.client->failures.size(), 1u);
  EXPECT_THAT(pair.client->failures[0].ToString(), HasSubstr("timed out"));
}

TEST(SimConnect, AddressesAreChecked) {
  Pair pair;
  Worker& worker = pair.client->worker();
  for (const char* address : {"", "10.0.0.1", "10.0.0.2:1", "10.0.0.1:x", "10.0.0.1:70000"}) {
    EXPECT_EQ(worker.Listen(address).status().code(), absl::StatusCode::kInvalidArgument)
        << address;
  }
  EXPECT_EQ(worker.Connect("10.0.0.99:1").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(worker.Connect("10.0.0.2").status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(worker.Listen("10.0.0.1:0").ok());
  EXPECT_NE(*worker.Listen("10.0.0.1:0"), *worker.Listen("10.0.0.1:0"));
  EXPECT_EQ(pair.server->worker().Listen(pair.address).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(SimClose, TakesTimeAndResetsThePeer) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  const Instant start = pair.world.scheduler().Now();
  pair.client->worker().Close(endpoint);
  pair.client->worker().Close(endpoint);
  EXPECT_EQ(pair.client->closed, 0);
  ASSERT_TRUE(pair.Until([&] { return pair.client->closed == 1; }));
  EXPECT_GE(pair.world.scheduler().Now() - start, absl::Microseconds(20));
  pair.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(pair.client->closed, 1);
  EXPECT_EQ(pair.server->failures.size(), 1u);
  EXPECT_EQ(pair.server->closed, 0);
}

TEST(SimClose, BehindACutThePeerLearnsOfItWhenItSends) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.world.SetCut(testing::kClientIp, kServerIp, true);
  pair.client->worker().Close(endpoint);
  pair.RunFor(absl::Milliseconds(10));
  ASSERT_EQ(pair.client->closed, 1);
  pair.world.SetCut(testing::kClientIp, kServerIp, false);
  pair.RunFor(absl::Seconds(1));
  EXPECT_THAT(pair.server->failures, IsEmpty());
  ASSERT_TRUE(pair.server->worker().SendMessage(pair.server->accepted[0], AsBytes("hi")).ok());
  pair.RunFor(absl::Seconds(1));
  EXPECT_EQ(pair.server->failures.size(), 1u);
}

TEST(SimClose, CompletesForACallerThatPollsWhileTimeStandsStill) {
  Pair pair;
  const EndpointId endpoint = pair.Connect();
  pair.client->worker().Close(endpoint);
  for (int i = 0; i < 1000 && pair.client->closed == 0; ++i) {
    pair.client->worker().Poll(*pair.client);
  }
  EXPECT_EQ(pair.client->closed, 1);
  pair.RunFor(absl::Seconds(1));
  EXPECT_EQ(pair.client->closed, 1);
}

}  // namespace
}  // namespace cairn
