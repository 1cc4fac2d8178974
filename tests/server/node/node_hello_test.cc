// Who gets a session, and how endpoints end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::WireClient;
using wire::Lane;
using wire::MissReason;

struct NodeHello : testing::NodeFixture {
  // What the node answers to one hello.
  MissReason Answer(WireClient& client, const wire::Hello& hello, EndpointId* endpoint = nullptr) {
    const size_t before = client.heard().hello_replies.size();
    const EndpointId opened = client.Connect(hello);
    if (endpoint != nullptr) *endpoint = opened;
    EXPECT_TRUE(Until([&] { return client.heard().hello_replies.size() > before; }));
    return static_cast<MissReason>(uint16_t{client.heard().hello_replies.back().status});
  }
  MissReason AnswerTo(const TokenClaims& claims) {
    const auto client = NewClient(claims);
    return Answer(*client, client->MakeHello(Lane::kControl));
  }
};

TEST_F(NodeHello, AValidTokenOpensASessionAndLearnsItsBounds) {
  options.session_inflight_bytes_max = 8u << 20;
  options.fetches_per_session_max = 17;
  options.puts_per_session_max = 19;
  options.lease_max = absl::Seconds(42);
  const auto client = OpenClient(1);
  const wire::HelloReply& reply = client->heard().hello_replies[0];
  EXPECT_EQ(reply.version, wire::kWireVersion);
  EXPECT_EQ(reply.features, wire::kFeaturesSupported);
  EXPECT_EQ(reply.incarnation, node->incarnation());
  EXPECT_EQ(reply.inflight_bytes_max, 8u << 20);
  EXPECT_EQ(reply.fetches_max, 17u);
  EXPECT_EQ(reply.puts_max, 19u);
  EXPECT_EQ(reply.lease_ms_max, 42000u);
  EXPECT_EQ(Metric("cairn_sessions"), 1);
  EXPECT_EQ(Metric("cairn_endpoints"), 2);
}

TEST_F(NodeHello, TheTokensCapCountsWhenItIsSmaller) {
  TokenClaims claims = Claims(1);
  claims.inflight_bytes_max = 1u << 20;
  EXPECT_EQ(OpenClient(claims)->heard().hello_replies[0].inflight_bytes_max, 1u << 20);
  claims = Claims(2);
  claims.inflight_bytes_max = uint64_t{1} << 40;
  EXPECT_EQ(OpenClient(claims)->heard().hello_replies[0].inflight_bytes_max,
            options.session_inflight_bytes_max);
}

TEST_F(NodeHello, OnlyFeaturesThatBothKnowAreUsed) {
  const auto client = NewClient(Claims(1));
  wire::Hello hello = client->MakeHello(Lane::kControl);
  hello.features = UINT64_MAX;
  ASSERT_EQ(Answer(*client, hello), MissReason::kNone);
  EXPECT_EQ(client->heard().hello_replies[0].features, wire::kFeaturesSupported);
}

TEST_F(NodeHello, AnUnknownVersionIsRefusedByNameAndItsEndpointGoes) {
  const auto client = NewClient(Claims(1));
  wire::Hello hello = client->MakeHello(Lane::kControl);
  hello.version_min = wire::kWireVersion + 1;
  hello.version_max = wire::kWireVersion + 5;
  EndpointId endpoint;
  EXPECT_EQ(Answer(*client, hello, &endpoint), MissReason::kVersion);
  EXPECT_TRUE(Until([&] { return client->EndpointsGone({endpoint}); }, absl::Seconds(1)));
  EXPECT_EQ(Metric("cairn_sessions"), 0);
  EXPECT_EQ(Metric("cairn_refused_hellos_total"), 1);
}

TEST_F(NodeHello, ANewerPeerThatStillSpeaksOursIsServed) {
  const auto client = NewClient(Claims(1));
  wire::Hello hello = client->MakeHello(Lane::kControl);
  hello.version_max = wire::kWireVersion + 5;
  EXPECT_EQ(Answer(*client, hello), MissReason::kNone);
  EXPECT_EQ(client->heard().hello_replies[0].version, wire::kWireVersion);
}

TEST_F(NodeHello, TokensOutOfTheirTimeAreRefused) {
  const int64_t now_s = node_host.clock().UnixSeconds();
  TokenClaims expired = Claims(1);
  expired.not_before_unix_s = now_s - 1000;
  expired.expiry_unix_s = now_s - kTokenClockSkew_s - 1;
  EXPECT_EQ(AnswerTo(expired), MissReason::kSession);
  TokenClaims early = Claims(2);
  early.not_before_unix_s = now_s + kTokenClockSkew_s + 10;
  early.expiry_unix_s = early.not_before_unix_s + 600;
  EXPECT_EQ(AnswerTo(early), MissReason::kSession);
  EXPECT_EQ(Metric("cairn_refused_hellos_total"), 2);
}

TEST_F(NodeHello, AStolenTokenDoesNotFitAnotherClient) {
  const auto client = NewClient(Claims(1));
  wire::Hello hello = client->MakeHello(Lane::kControl);
  hello.client.bytes[0] = std::byte{99};
  EXPECT_EQ(Answer(*client, hello), MissReason::kSession);
}

TEST_F(NodeHello, AForgedTokenAndAForeignSignerAreRefused) {
  const auto client = NewClient(Claims(1));
  wire::Hello hello = client->MakeHello(Lane::kControl);
  hello.token[100] ^= std::byte{1};
  EXPECT_EQ(Answer(*client, hello), MissReason::kSession);
  hello.token = MakeSigner(2).Sign(Claims(1));
  EXPECT_EQ(Answer(*client, hello), MissReason::kSession);
}

TEST_F(NodeHello, ADrainingNodeOpensNoSessionAndKeepsThoseItHas) {
  const auto old = OpenClient(1);
  node->BeginDrain();
  EXPECT_EQ(AnswerTo(Claims(2)), MissReason::kDraining);
  old->Ping(5);
  EXPECT_TRUE(Until([&] { return old->heard().pongs.size() == 1; }));
}

TEST_F(NodeHello, SessionsAreBoundedAndALaneOfAKnownOneIsWelcome) {
  options.sessions_max = 2;
  const auto first = OpenClient(1);
  const auto second = OpenClient(2);
  EXPECT_EQ(AnswerTo(Claims(3)), MissReason::kOverload);
  EXPECT_EQ(Answer(*second, second->MakeHello(Lane::kBulk)), MissReason::kNone);
  EXPECT_EQ(Metric("cairn_sessions"), 2);
}

TEST_F(NodeHello, OneClientIdOfTwoTenantsIsTwoSessions) {
  const auto a = OpenClient(Claims(1, 1));
  const auto b = OpenClient(Claims(1, 2));
  EXPECT_EQ(Metric("cairn_sessions"), 2);
}

TEST_F(NodeHello, TheNewestConnectionOfALaneReplacesTheOlder) {
  const auto client = OpenClient(1);
  const EndpointId old = client->control();
  ASSERT_EQ(Answer(*client, client->MakeHello(Lane::kControl)), MissReason::kNone);
  EXPECT_TRUE(Until([&] { return client->EndpointsGone({old}); }));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(Metric("cairn_sessions"), 1);
  EXPECT_EQ(Metric("cairn_endpoints"), 2);
}

TEST_F(NodeHello, ASecondHelloOnAnEndpointEndsIt) {
  const auto client = OpenClient(1);
  client->Send(client->control(), wire::AsBytes(client->MakeHello(Lane::kControl)));
  EXPECT_TRUE(Until([&] { return client->EndpointsGone({client->control(), client->bulk()}); }));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(Metric("cairn_sessions"), 0);
}

TEST_F(NodeHello, WhoeverSpeaksBeforeHelloIsCutOff) {
  const auto client = NewClient(Claims(1));
  wire::Ping ping{};
  wire::Seal(ping, wire::MessageType::kPing);
  const EndpointId early = client->Connect();
  client->Send(early, wire::AsBytes(ping));
  const EndpointId garbage = client->Connect();
  const std::vector<std::byte> bytes(100, std::byte{0x5a});
  client->Send(garbage, bytes);
  EXPECT_TRUE(Until([&] { return client->EndpointsGone({early, garbage}); }, absl::Seconds(1)));
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 2);
}

TEST_F(NodeHello, WhoeverSaysNothingIsCutOffAfterTheTimeout) {
  const auto client = NewClient(Claims(1));
  const EndpointId endpoint = client->Connect();
  RunFor(options.hello_timeout - absl::Milliseconds(100));
  EXPECT_FALSE(client->EndpointsGone({endpoint}));
  EXPECT_TRUE(Until([&] { return client->EndpointsGone({endpoint}); }, absl::Milliseconds(300)));
}

TEST_F(NodeHello, ManyBadMessagesEndTheSessionAndAFewDoNot) {
  const auto client = OpenClient(1);
  const std::vector<std::byte> bytes(100, std::byte{0x5a});
  for (int i = 0; i < 15; ++i) client->Send(client->control(), bytes);
  client->Ping(1);
  ASSERT_TRUE(Until([&] { return client->heard().pongs.size() == 1; }));
  client->Send(client->control(), bytes);
  EXPECT_TRUE(Until([&] { return client->EndpointsGone({client->control(), client->bulk()}); }));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(Metric("cairn_sessions"), 0);
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 16);
}

TEST_F(NodeHello, MessagesOnTheBulkLaneAreNotHeard) {
  const auto client = OpenClient(1);
  wire::Ping ping{};
  wire::Seal(ping, wire::MessageType::kPing);
  client->Send(client->bulk(), wire::AsBytes(ping));
  RunFor(absl::Milliseconds(10));
  EXPECT_TRUE(client->heard().pongs.empty());
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 1);
}

TEST_F(NodeHello, AnswersOfTheNodeAreNoRequests) {
  const auto client = OpenClient(1);
  wire::Goodbye goodbye{};
  wire::Seal(goodbye, wire::MessageType::kGoodbye);
  client->Send(client->control(), wire::AsBytes(goodbye));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 1);
}

TEST_F(NodeHello, APongCarriesNonceAndIncarnation) {
  const auto client = OpenClient(1);
  client->Ping(0x1234);
  ASSERT_TRUE(Until([&] { return client->heard().pongs.size() == 1; }));
  EXPECT_EQ(client->heard().pongs[0].nonce, 0x1234u);
  EXPECT_EQ(client->heard().pongs[0].incarnation, node->incarnation());
}

TEST_F(NodeHello, ASilentClientsSessionEndsAndAPingingOnesStays) {
  const auto silent = OpenClient(1);
  const auto pinging = OpenClient(2);
  for (int i = 0; i < 5; ++i) {
    RunFor(options.heartbeat_timeout / 2);
    pinging->Ping(1);
  }
  EXPECT_TRUE(silent->EndpointsGone({silent->control(), silent->bulk()}));
  EXPECT_FALSE(pinging->EndpointsGone({pinging->control()}));
  EXPECT_EQ(Metric("cairn_sessions"), 1);
  EXPECT_EQ(Metric("cairn_endpoints"), 2);
}

TEST_F(NodeHello, AJumpOfTheWallClockEndsNoSession) {
  const auto client = OpenClient(1);
  node_host.clock().JumpWallClock(absl::Hours(24));
  client->Ping(1);
  EXPECT_TRUE(Until([&] { return client->heard().pongs.size() == 1; }));
  RunFor(absl::Milliseconds(200));
  EXPECT_EQ(Metric("cairn_sessions"), 1);
}

}  // namespace
}  // namespace cairn
