// Blocks from clients: reserved, landed, verified, sealed in the order of their chain.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::ChainKey;
using testing::ChainKeys;
using testing::kBlockBytes;
using testing::WireClient;
using wire::MissReason;
using PutOptions = WireClient::PutOptions;

// 4 and 5 are of one run (RunStart), so 5 needs 4.
constexpr uint32_t kParent = 4;
constexpr uint32_t kChild = 5;
static_assert(RunStart(kChild) == kParent);

struct NodePut : testing::NodeFixture {
  // How fast this client's bytes reach the node.
  void Throttle(WireClient& client, uint64_t bytes_per_second) {
    world.link(client.host().ip(), kNodeIp).bytes_per_second = bytes_per_second;
  }
  MissReason Put(WireClient& client, const BlockKey& key, const PutOptions& put) {
    const uint64_t request = next_request++;
    client.Put(request, key, put);
    return PutAnswer(client, request);
  }
  bool Answered(WireClient& client, uint64_t request) {
    return client.heard().put_replies.contains(request);
  }
};

TEST_F(NodePut, WhatIsAcknowledgedIsRead) {
  const auto client = OpenClient(1);
  Store(*client, 7, 40);
  client->Fetch(1000, ChainKeys(7, 40));
  ASSERT_TRUE(Until([&] { return client->delivered_bytes(1000) == 40u * kBlockBytes; }));
  for (uint16_t i = 0; i < 40; ++i) EXPECT_TRUE(client->Delivered(1000, i, ChainKey(7, i))) << i;
  EXPECT_EQ(Metric("cairn_put_blocks_total"), 40);
  EXPECT_EQ(Metric("cairn_put_bytes_total"), 40.0 * kBlockBytes);
  EXPECT_EQ(Metric("cairn_sealed_blocks_total"), 40);
  EXPECT_EQ(Metric("cairn_reservations"), 0);
}

TEST_F(NodePut, TheSameBlockAgainIsAcknowledgedWithoutItsBytes) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  Store(*client, 7, 1);
  EXPECT_EQ(Metric("cairn_put_bytes_total"), double{kBlockBytes});
  EXPECT_EQ(Metric("cairn_conflicts_total"), 0);
}

TEST_F(NodePut, TwoWritersOfTheSameBlockAtOnceAreBothAcknowledged) {
  const auto a = OpenClient(1);
  const auto b = OpenClient(2);
  for (WireClient* client : {a.get(), b.get()}) Throttle(*client, 10'000'000);
  a->PutChain(1, 7, 0);
  b->PutChain(1, 7, 0);
  EXPECT_EQ(PutAnswer(*a, 1), MissReason::kNone);
  EXPECT_EQ(PutAnswer(*b, 1), MissReason::kNone);
  EXPECT_EQ(counters().blocks.value(), 1u);
  EXPECT_EQ(counters().used_bytes.value(), uint64_t{kBlockBytes});
}

TEST_F(NodePut, OtherBytesUnderASealedKeyAreAConflictAndTheFirstStay) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  EXPECT_EQ(Put(*client, ChainKey(7, 0), {.other_bytes = true}), MissReason::kConflict);
  EXPECT_EQ(Metric("cairn_conflicts_total"), 1);
  client->Fetch(1000, ChainKeys(7, 1));
  EXPECT_TRUE(Until([&] { return client->Delivered(1000, 0, ChainKey(7, 0)); }));
}

TEST_F(NodePut, OtherBytesOfTwoWritersAtOnceConflictAndOneWins) {
  const auto a = OpenClient(1);
  const auto b = OpenClient(2);
  for (WireClient* client : {a.get(), b.get()}) Throttle(*client, 10'000'000);
  a->Put(1, ChainKey(7, 0), {});
  b->Put(1, ChainKey(7, 0), {.other_bytes = true});
  const MissReason first = PutAnswer(*a, 1);
  const MissReason second = PutAnswer(*b, 1);
  EXPECT_TRUE((first == MissReason::kNone && second == MissReason::kConflict) ||
              (first == MissReason::kConflict && second == MissReason::kNone));
  EXPECT_EQ(Metric("cairn_conflicts_total"), 1);
  EXPECT_EQ(counters().blocks.value(), 1u);
}

TEST_F(NodePut, BytesThatDoNotFitTheirChecksumAreNeverVisible) {
  const auto client = OpenClient(1);
  EXPECT_EQ(Put(*client, ChainKey(7, 0), {.wrong_checksum = true}), MissReason::kChecksum);
  EXPECT_EQ(Metric("cairn_put_checksum_failures_total"), 1);
  EXPECT_EQ(counters().blocks.value(), 0u);
  EXPECT_EQ(counters().used_bytes.value(), 0u);
  Store(*client, 7, 1);
}

TEST_F(NodePut, ABlockWithoutItsParentIsRefused) {
  const auto client = OpenClient(1);
  EXPECT_EQ(Put(*client, ChainKey(7, kChild), {.parent = ChainKey(7, kParent), .position = kChild}),
            MissReason::kParentAbsent);
  EXPECT_EQ(counters().reservations.value(), 0u);
}

TEST_F(NodePut, TheHeadOfARunNeedsNoParent) {
  const auto client = OpenClient(1);
  EXPECT_EQ(
      Put(*client, ChainKey(7, kParent), {.parent = ChainKey(7, kParent - 1), .position = kParent}),
      MissReason::kNone);
}

TEST_F(NodePut, ATailThatLandsFirstWaitsForItsHead) {
  const auto client = OpenClient(1);
  Throttle(*client, 10'000'000);
  for (uint32_t position = 8; position < 16; ++position) client->PutChain(position, 7, position);
  for (uint32_t position = 8; position < 16; ++position) {
    EXPECT_EQ(PutAnswer(*client, position), MissReason::kNone) << position;
  }
  EXPECT_EQ(counters().blocks.value(), 8u);
}

TEST_F(NodePut, ATailWhoseHeadFailsFailsWithIt) {
  const auto client = OpenClient(1);
  Throttle(*client, 10'000'000);
  client->Put(1, ChainKey(7, kParent),
              {.parent = ChainKey(7, kParent - 1), .position = kParent, .wrong_checksum = true});
  client->PutChain(2, 7, kChild);
  EXPECT_EQ(PutAnswer(*client, 1), MissReason::kChecksum);
  EXPECT_EQ(PutAnswer(*client, 2), MissReason::kParentAbsent);
  EXPECT_EQ(counters().reservations.value(), 0u);
  EXPECT_EQ(counters().used_bytes.value(), 0u);
}

TEST_F(NodePut, ATailWaitsForAHeadThatAnotherSessionWrites) {
  const auto head = OpenClient(1);
  const auto tail = OpenClient(2);
  Throttle(*head, 2'000'000);
  head->PutChain(1, 7, kParent);
  RunFor(absl::Milliseconds(10));
  tail->PutChain(2, 7, kChild);
  RunFor(absl::Milliseconds(20));
  ASSERT_EQ(counters().reservations.value(), 2u);
  EXPECT_FALSE(Answered(*tail, 2));
  EXPECT_EQ(PutAnswer(*head, 1), MissReason::kNone);
  EXPECT_EQ(PutAnswer(*tail, 2), MissReason::kNone);
  EXPECT_EQ(counters().blocks.value(), 2u);
  EXPECT_EQ(counters().reservations.value(), 0u);
}

TEST_F(NodePut, ATailFailsWithAHeadThatAnotherSessionLeavesUnfinished) {
  auto head = OpenClient(1);
  const auto tail = OpenClient(2);
  Throttle(*head, 2'000'000);
  head->PutChain(1, 7, kParent);
  RunFor(absl::Milliseconds(10));
  tail->PutChain(2, 7, kChild);
  RunFor(absl::Milliseconds(20));
  head->host().Crash(SimCrash::kProcess);
  EXPECT_EQ(PutAnswer(*tail, 2), MissReason::kParentAbsent);
  EXPECT_EQ(counters().reservations.value(), 0u);
}

TEST_F(NodePut, AWaitingTailGoesWithItsSession) {
  const auto head = OpenClient(1);
  const auto tail = OpenClient(2);
  Throttle(*head, 2'000'000);
  head->PutChain(1, 7, kParent);
  RunFor(absl::Milliseconds(10));
  tail->PutChain(2, 7, kChild);
  RunFor(absl::Milliseconds(20));
  tail->host().Crash(SimCrash::kProcess);
  EXPECT_TRUE(Until([&] { return Metric("cairn_sessions") == 1; }, absl::Seconds(1)));
  EXPECT_EQ(counters().reservations.value(), 1u);
  EXPECT_EQ(PutAnswer(*head, 1), MissReason::kNone);
  EXPECT_EQ(counters().reservations.value(), 0u);
}

// Two blocks name each other as parent, which is possible while both are being written.
TEST_F(NodePut, BlocksThatWaitForEachOtherGoWithTheirSession) {
  const auto client = OpenClient(1);
  Throttle(*client, 10'000'000);
  const BlockKey x = ChainKey(7, 0);
  const BlockKey y = ChainKey(8, 0);
  client->Put(1, x, {.wrong_checksum = true});
  client->Put(2, y, {.parent = x, .position = kChild});
  client->Put(3, x, {.parent = y, .position = kChild});
  EXPECT_EQ(PutAnswer(*client, 1), MissReason::kChecksum);
  RunFor(absl::Milliseconds(300));
  ASSERT_EQ(counters().reservations.value(), 2u);
  client->host().Crash(SimCrash::kProcess);
  EXPECT_TRUE(Until([&] { return Metric("cairn_sessions") == 0; }, absl::Seconds(1)));
  EXPECT_EQ(counters().reservations.value(), 0u);
}

TEST_F(NodePut, AnOldIncarnationIsNamed) {
  const auto client = OpenClient(1);
  client->set_incarnation(node->incarnation() + 1);
  EXPECT_EQ(Put(*client, ChainKey(7, 0), {}), MissReason::kIncarnation);
}

TEST_F(NodePut, WithoutTheRightToWriteNothingIsTaken) {
  const auto reader = OpenClient(Claims(1, kTenant, kRightRead));
  EXPECT_EQ(Put(*reader, ChainKey(7, 0), {}), MissReason::kSession);
  EXPECT_EQ(counters().used_bytes.value(), 0u);
}

TEST_F(NodePut, WithoutBudgetNothingIsTaken) {
  const auto client = OpenClient(1);
  EXPECT_EQ(Put(*client, ChainKey(7, 0), {.budget_us = 0}), MissReason::kDeadline);
  EXPECT_EQ(counters().used_bytes.value(), 0u);
}

TEST_F(NodePut, MorePutsThanASessionMayHaveAreToldToComeBack) {
  options.puts_per_session_max = 2;
  const auto client = OpenClient(1);
  const auto other = OpenClient(2);
  Throttle(*client, 5'000'000);
  for (uint64_t i = 1; i <= 4; ++i) client->PutChain(i, i, 0);
  EXPECT_EQ(PutAnswer(*client, 3), MissReason::kOverload);
  EXPECT_GT(client->heard().put_replies.at(3).retry_after_ms, 0u);
  EXPECT_EQ(PutAnswer(*other, (other->PutChain(9, 9, 0), 9)), MissReason::kNone);
  EXPECT_EQ(PutAnswer(*client, 1), MissReason::kNone);
  EXPECT_EQ(client->heard().put_replies.at(1).retry_after_ms, 0u);
  EXPECT_EQ(PutAnswer(*client, (client->PutChain(5, 5, 0), 5)), MissReason::kNone);
}

TEST_F(NodePut, AFullCacheOfPinnedBlocksTakesNothingAndSaysWhenToComeBack) {
  const auto client = OpenClient(1);
  const auto blocks = static_cast<uint32_t>(options.capacity_bytes / kBlockBytes);
  uint64_t lease = 1;
  for (uint32_t chain = 0; chain < blocks / 32; ++chain) {
    Store(*client, chain, 32);
    client->Pin(lease++, ChainKeys(chain, 32));
    ASSERT_EQ(PinAnswer(*client).status, 0u);
  }
  client->PutChain(100'000, 1000, 0);
  EXPECT_EQ(PutAnswer(*client, 100'000), MissReason::kCapacity);
  EXPECT_GT(client->heard().put_replies.at(100'000).retry_after_ms, 0u);
  EXPECT_EQ(Metric("cairn_no_capacity_total"), 1);
  client->Release(1);
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(PutAnswer(*client, (client->PutChain(100'001, 1001, 0), 100'001)), MissReason::kNone);
}

TEST_F(NodePut, ADeadWritersReservationsAreFreed) {
  const auto client = OpenClient(1);
  Throttle(*client, 1'000'000);
  for (uint64_t i = 1; i <= 4; ++i) client->PutChain(i, i, 0);
  RunFor(absl::Milliseconds(50));
  ASSERT_EQ(counters().reservations.value(), 4u);
  client->host().Crash(SimCrash::kProcess);
  EXPECT_TRUE(Until([&] { return counters().reservations.value() == 0; }, absl::Seconds(1)));
  EXPECT_EQ(counters().used_bytes.value(), 0u);
}

TEST_F(NodePut, ABulkOnTheControlLaneIsNoPut) {
  const auto client = OpenClient(1);
  client->Put(1, ChainKey(7, 0), {.on_control_lane = true});
  RunFor(absl::Milliseconds(20));
  EXPECT_FALSE(Answered(*client, 1));
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 1);
  EXPECT_EQ(counters().used_bytes.value(), 0u);
}

TEST_F(NodePut, OneKeyOfTwoTenantsIsTwoBlocks) {
  const auto a = OpenClient(1);
  const auto b = OpenClient(2, kTenant + 1);
  Store(*a, 7, 1);
  EXPECT_EQ(Put(*b, ChainKey(7, 0), {.other_bytes = true}), MissReason::kNone);
  EXPECT_EQ(counters().blocks.value(), 2u);
  a->Fetch(1000, ChainKeys(7, 1));
  EXPECT_TRUE(Until([&] { return a->Delivered(1000, 0, ChainKey(7, 0)); }));
}

}  // namespace
}  // namespace cairn
