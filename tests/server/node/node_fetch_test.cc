// Blocks to clients: chunks, caps, deadlines, urgencies, cancels, stuck peers.
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::ChainKey;
using testing::ChainKeys;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kBlockBytes;
using ::testing::Not;
using testing::WireClient;
using wire::MissReason;

constexpr uint32_t kChunk = 64 << 10;
constexpr size_t kChunksPerBlock = kBlockBytes / kChunk;

struct NodeFetch : testing::NodeFixture {
  bool UntilDelivered(WireClient& client, uint64_t request, size_t blocks) {
    return Until([&] { return client.delivered_bytes(request) == blocks * kBlockBytes; });
  }
  // How fast bytes reach this client.
  void Throttle(WireClient& client, uint64_t bytes_per_second) {
    world.link(kNodeIp, client.host().ip()).bytes_per_second = bytes_per_second;
  }
};

TEST_F(NodeFetch, DeliversInChunksOfTheNodesChoice) {
  const auto client = OpenClient(1);
  Store(*client, 7, 3);
  client->Fetch(50, ChainKeys(7, 3));
  ASSERT_TRUE(UntilDelivered(*client, 50, 3));
  for (uint16_t i = 0; i < 3; ++i) EXPECT_TRUE(client->Delivered(50, i, ChainKey(7, i))) << i;
  EXPECT_EQ(client->chunks(50).size(), 3 * kChunksPerBlock);
  EXPECT_THAT(client->chunks(50), Each(kChunk));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(Metric("cairn_get_blocks_total"), 3);
  EXPECT_EQ(Metric("cairn_get_hit_blocks_total"), 3);
  EXPECT_EQ(Metric("cairn_get_bytes_total"), 3.0 * kBlockBytes);
  EXPECT_EQ(Metric("cairn_get_seconds_count{stage=\"total\",tier=\"dram\",size_class=\"256KiB\","
                   "urgency=\"standard\",transport=\"sim\"}"),
            3);
  EXPECT_EQ(Metric("cairn_sends"), 0);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodeFetch, DeliversInChunksOfTheClientsChoice) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  client->Fetch(50, ChainKeys(7, 1), testing::kAmpleBudget_us, kBlockBytes, 100'000);
  ASSERT_TRUE(UntilDelivered(*client, 50, 1));
  EXPECT_TRUE(client->Delivered(50, 0, ChainKey(7, 0)));
  EXPECT_THAT(client->chunks(50), ::testing::UnorderedElementsAre(100'000, 100'000, 62'144));
  client->Fetch(51, ChainKeys(7, 1), testing::kAmpleBudget_us, kBlockBytes, kBlockBytes);
  ASSERT_TRUE(UntilDelivered(*client, 51, 1));
  EXPECT_THAT(client->chunks(51), ElementsAre(kBlockBytes));
}

TEST_F(NodeFetch, EachBlockIsAnsweredForItself) {
  const auto client = OpenClient(1);
  Store(*client, 7, 3);
  client->Fetch(50, {ChainKey(7, 0), ChainKey(8, 0), ChainKey(7, 2)});
  ASSERT_TRUE(UntilDelivered(*client, 50, 2));
  EXPECT_TRUE(client->Delivered(50, 0, ChainKey(7, 0)));
  EXPECT_TRUE(client->Delivered(50, 2, ChainKey(7, 2)));
  EXPECT_EQ(client->heard().fetch_failures.at(50).size(), 1u);
  EXPECT_EQ(client->heard().fetch_failures.at(50).at(1), MissReason::kAbsent);
  EXPECT_EQ(Refused("absent"), 1);
}

TEST_F(NodeFetch, AnotherLengthIsNamed) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  client->Fetch(50, ChainKeys(7, 1), testing::kAmpleBudget_us, kBlockBytes / 2);
  EXPECT_EQ(FetchFailure(*client, 50), MissReason::kLength);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodeFetch, AnOldIncarnationIsNamed) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  client->set_incarnation(node->incarnation() + 1);
  client->Fetch(50, ChainKeys(7, 1));
  EXPECT_EQ(FetchFailure(*client, 50), MissReason::kIncarnation);
}

TEST_F(NodeFetch, WithoutTheRightToReadNothingComes) {
  const auto writer = OpenClient(Claims(1, kTenant, kRightWrite));
  Store(*writer, 7, 1);
  writer->Fetch(50, ChainKeys(7, 1));
  EXPECT_EQ(FetchFailure(*writer, 50), MissReason::kSession);
}

TEST_F(NodeFetch, WithoutABulkLaneNothingComes) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  client->Close(client->bulk());
  RunFor(absl::Milliseconds(10));
  client->Fetch(50, ChainKeys(7, 1));
  EXPECT_EQ(FetchFailure(*client, 50), MissReason::kSession);
}

TEST_F(NodeFetch, AnotherTenantsBlocksLookAbsent) {
  const auto owner = OpenClient(1);
  const auto stranger = OpenClient(2, kTenant + 1);
  Store(*owner, 7, 1);
  stranger->Fetch(50, {ChainKey(7, 0)});
  stranger->Fetch(51, {ChainKey(8, 0)});
  EXPECT_EQ(FetchFailure(*stranger, 50), MissReason::kAbsent);
  EXPECT_EQ(FetchFailure(*stranger, 51), MissReason::kAbsent);
}

TEST_F(NodeFetch, WithoutBudgetNothingIsQueued) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  client->Fetch(50, ChainKeys(7, 1), /*budget_us=*/0);
  EXPECT_EQ(FetchFailure(*client, 50), MissReason::kDeadline);
  EXPECT_EQ(Refused("deadline"), 1);
  EXPECT_EQ(client->delivered_bytes(50), 0u);
}

TEST_F(NodeFetch, WhatIsStillQueuedAtItsDeadlineIsRefusedBeforeItIsSent) {
  options.session_inflight_bytes_max = kChunk;
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  Throttle(*client, 4'000'000);  // a block takes 65 ms
  client->Fetch(50, ChainKeys(7, 8), /*budget_us=*/200'000);
  RunFor(absl::Seconds(1));
  const auto& failures = client->heard().fetch_failures.at(50);
  EXPECT_GE(failures.size(), 4u);
  EXPECT_LE(failures.size(), 7u);
  for (const auto& [block, reason] : failures) EXPECT_EQ(reason, MissReason::kDeadline) << block;
  for (uint16_t i = 0; i < 8 - failures.size(); ++i) {
    EXPECT_TRUE(client->Delivered(50, i, ChainKey(7, i))) << i;
  }
  // Every chunk left in time: at most the one in flight at the deadline came after it.
  EXPECT_LE(client->delivered_bytes(50), uint64_t{4'000'000} / 5 + 2 * kChunk);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodeFetch, ASessionHasNoMoreInFlightThanItsCap) {
  options.session_inflight_bytes_max = 2 * kChunk;
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  Throttle(*client, 100'000'000);
  client->Fetch(50, ChainKeys(7, 8));
  ASSERT_TRUE(UntilDelivered(*client, 50, 8));
  EXPECT_LE(client->landing_max(), 2u);
}

TEST_F(NodeFetch, WithoutACapMoreIsInFlight) {
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  Throttle(*client, 100'000'000);
  client->Fetch(50, ChainKeys(7, 8));
  ASSERT_TRUE(UntilDelivered(*client, 50, 8));
  EXPECT_GT(client->landing_max(), 2u) << "else the test of the cap proves nothing";
}

TEST_F(NodeFetch, ATokensCapBindsLikeTheNodes) {
  TokenClaims claims = Claims(1);
  claims.inflight_bytes_max = 2 * kChunk;
  const auto client = OpenClient(claims);
  Store(*client, 7, 8);
  Throttle(*client, 100'000'000);
  client->Fetch(50, ChainKeys(7, 8));
  ASSERT_TRUE(UntilDelivered(*client, 50, 8));
  EXPECT_LE(client->landing_max(), 2u);
}

TEST_F(NodeFetch, ACapBelowAChunkStillLetsOneThrough) {
  options.session_inflight_bytes_max = 1;
  const auto client = OpenClient(1);
  Store(*client, 7, 2);
  client->Fetch(50, ChainKeys(7, 2));
  ASSERT_TRUE(UntilDelivered(*client, 50, 2));
  EXPECT_EQ(client->landing_max(), 1u);
}

TEST_F(NodeFetch, LatenciesAreToldByUrgency) {
  const auto client = OpenClient(1);
  Store(*client, 7, 3);
  uint32_t blocks = 0;
  for (const wire::Urgency urgency :
       {wire::Urgency::kStandard, wire::Urgency::kInteractive, wire::Urgency::kBatch}) {
    client->set_urgency(urgency);
    ++blocks;
    client->Fetch(50 + blocks, ChainKeys(7, blocks));
    ASSERT_TRUE(UntilDelivered(*client, 50 + blocks, blocks));
  }
  RunFor(absl::Milliseconds(10));
  const auto told = [&](const char* urgency) {
    return Metric(absl::StrCat(
        "cairn_get_seconds_count{stage=\"total\",tier=\"dram\",size_class=\"256KiB\",urgency=\"",
        urgency, "\",transport=\"sim\"}"));
  };
  EXPECT_EQ(told("standard"), 1);
  EXPECT_EQ(told("interactive"), 2);
  EXPECT_EQ(told("batch"), 3);
}

TEST_F(NodeFetch, TheSessionsOfATenantShareItsCapAndAnotherTenantDoesNot) {
  options.tenant_inflight_bytes_max = 2 * kChunk;
  const auto a = OpenClient(1);
  const auto b = OpenClient(2);
  const auto other = OpenClient(3, kTenant + 1);
  Store(*a, 7, 8);
  Store(*other, 7, 8);
  for (WireClient* client : {a.get(), b.get(), other.get()}) Throttle(*client, 10'000'000);
  const Instant begin = world.scheduler().Now();
  for (WireClient* client : {a.get(), b.get(), other.get()}) client->Fetch(50, ChainKeys(7, 8));
  ASSERT_TRUE(UntilDelivered(*other, 50, 8));
  ASSERT_TRUE(UntilDelivered(*a, 50, 8));
  ASSERT_TRUE(UntilDelivered(*b, 50, 8));
  EXPECT_LE(a->landing_max(), 2u);
  EXPECT_LE(b->landing_max(), 2u);
  EXPECT_LT(world.scheduler().Now() - begin, absl::Seconds(2)) << "both move at the same time";
}

TEST_F(NodeFetch, SessionsTakeTurns) {
  const auto first = OpenClient(1);
  const auto second = OpenClient(2);
  Store(*first, 7, 64);
  node_host.LimitBandwidth(50'000'000);
  first->Fetch(50, ChainKeys(7, 64));
  second->Fetch(50, ChainKeys(7, 2));
  ASSERT_TRUE(UntilDelivered(*second, 50, 2));
  EXPECT_LT(first->delivered_bytes(50), 64u * kBlockBytes);
  EXPECT_TRUE(UntilDelivered(*first, 50, 64));
}

TEST_F(NodeFetch, MoreBlocksThanASessionMayQueueAreOverload) {
  options.fetches_per_session_max = 1;
  options.session_inflight_bytes_max = kChunk;
  const auto client = OpenClient(1);
  Store(*client, 7, 64);
  Throttle(*client, 10'000'000);
  client->Fetch(50, ChainKeys(7, 64));
  client->Fetch(51, ChainKeys(7, 1));
  EXPECT_EQ(FetchFailure(*client, 51), MissReason::kOverload);
  EXPECT_TRUE(client->heard().fetch_failures.count(50) == 0);
  EXPECT_TRUE(UntilDelivered(*client, 50, 64));
  client->Fetch(52, ChainKeys(7, 1));
  EXPECT_TRUE(UntilDelivered(*client, 52, 1));
}

TEST_F(NodeFetch, ACancelStopsWhatIsQueuedOfItsRequestAndNothingElse) {
  options.session_inflight_bytes_max = kChunk;
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  Throttle(*client, 10'000'000);
  client->Fetch(50, ChainKeys(7, 8));
  client->Fetch(51, ChainKeys(7, 2));
  RunFor(absl::Milliseconds(30));
  client->Cancel(50);
  client->Cancel(999);
  ASSERT_TRUE(UntilDelivered(*client, 51, 2));
  RunFor(absl::Seconds(1));
  EXPECT_LT(client->delivered_bytes(50), 3u * kBlockBytes);
  EXPECT_EQ(Metric("cairn_sends"), 0);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodeFetch, ARefusedChunkEndsItsSend) {
  const auto client = OpenClient(1);
  Store(*client, 7, 2);
  client->RefuseBulks();
  client->Fetch(50, ChainKeys(7, 2));
  RunFor(absl::Milliseconds(100));
  EXPECT_EQ(Metric("cairn_sends"), 0);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodeFetch, TheWatchdogClosesAStuckPeersEndpointAfterDeadlineAndGrace) {
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  Throttle(*client, 1'000'000);
  client->Fetch(50, ChainKeys(7, 4), /*budget_us=*/200'000);
  RunFor(absl::Milliseconds(20));
  world.SetCut(kNodeIp, client->host().ip(), true);
  RunFor(absl::Milliseconds(200) + options.watchdog_grace - absl::Milliseconds(100));
  EXPECT_EQ(Metric("cairn_watchdog_closes_total"), 0);
  EXPECT_GT(counters().pins.value(), 0u) << "the lane may read the block still";
  RunFor(absl::Milliseconds(200));
  EXPECT_EQ(Metric("cairn_watchdog_closes_total"), 1);
  EXPECT_TRUE(Until([&] { return counters().pins.value() == 0; }));
  EXPECT_EQ(Metric("cairn_sends"), 0);
}

TEST_F(NodeFetch, ADeadClientsSendsEndWithItsEndpoint) {
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  Throttle(*client, 10'000'000);
  client->Fetch(50, ChainKeys(7, 8));
  RunFor(absl::Milliseconds(20));
  ASSERT_GT(counters().pins.value(), 0u);
  client->host().Crash(SimCrash::kProcess);
  EXPECT_TRUE(Until([&] { return counters().pins.value() == 0; }, absl::Seconds(1)));
  EXPECT_TRUE(Until([&] { return Metric("cairn_sessions") == 0; }));
}

TEST_F(NodeFetch, AMalformedFetchIsCountedAndNotAnswered) {
  const auto client = OpenClient(1);
  wire::Fetch fetch{};
  wire::Seal(fetch, wire::MessageType::kFetch);
  fetch.block_count = 1;  // and none follows
  client->Send(client->control(), wire::AsBytes(fetch));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 1);
  EXPECT_TRUE(client->heard().fetch_failures.empty());
}

TEST_F(NodeFetch, TheNodesReadsFromItselfAreNotCountedAsGets) {
  const auto self = OpenClient(Claims(1, kSelfTenant));
  Store(*self, 7, 1);
  self->Fetch(50, ChainKeys(7, 1));
  ASSERT_TRUE(UntilDelivered(*self, 50, 1));
  EXPECT_EQ(Metric("cairn_get_blocks_total"), 0);
  EXPECT_THAT(node->MetricsText(), Not(HasSubstr("cairn_get_seconds_count")));
}

}  // namespace
}  // namespace cairn
