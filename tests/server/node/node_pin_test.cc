// Leases: what a pin holds, and until when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::ChainKey;
using testing::ChainKeys;
using testing::WireClient;
using wire::MissReason;

bool Held(const wire::PinReply& reply, size_t i) {
  return (reply.held[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0};
}

MissReason StatusOf(const wire::PinReply& reply) {
  return static_cast<MissReason>(uint16_t{reply.status});
}

struct NodePin : testing::NodeFixture {
  wire::PinReply Pin(WireClient& client, uint64_t lease, const std::vector<BlockKey>& keys,
                     absl::Duration held_for = absl::Seconds(30)) {
    client.Pin(lease, keys, held_for);
    return PinAnswer(client);
  }
};

TEST_F(NodePin, HoldsWhatIsHereAndTellsTheRestByBit) {
  const auto client = OpenClient(1);
  Store(*client, 7, 10);
  std::vector<BlockKey> keys = ChainKeys(7, 12);
  keys[4] = ChainKey(99, 4);
  const wire::PinReply reply = Pin(*client, 5, keys);
  EXPECT_EQ(StatusOf(reply), MissReason::kNone);
  EXPECT_EQ(reply.lease, 5u);
  EXPECT_EQ(reply.block_count, 12u);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(Held(reply, i), i < 10 && i != 4) << i;
  EXPECT_EQ(counters().pins.value(), 9u);
  EXPECT_EQ(Metric("cairn_leases"), 1);
}

TEST_F(NodePin, ALeaseThatHoldsNothingIsNone) {
  const auto client = OpenClient(1);
  EXPECT_EQ(StatusOf(Pin(*client, 5, ChainKeys(7, 3))), MissReason::kNone);
  EXPECT_EQ(Metric("cairn_leases"), 0);
  EXPECT_EQ(StatusOf(Pin(*client, 5, ChainKeys(7, 3))), MissReason::kNone);
}

TEST_F(NodePin, ReleaseLetsGoOnce) {
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  Pin(*client, 1, ChainKeys(7, 4));
  Pin(*client, 2, ChainKeys(7, 2));
  ASSERT_EQ(counters().pins.value(), 6u);
  client->Release(1);
  client->Release(1);
  client->Release(12345);
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(counters().pins.value(), 2u);
  EXPECT_EQ(Metric("cairn_leases"), 1);
}

TEST_F(NodePin, ALeaseExpiresOnTheNodesMonotonicClock) {
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  Pin(*client, 1, ChainKeys(7, 4), absl::Seconds(2));
  node_host.clock().JumpWallClock(absl::Hours(24));
  client->host().clock().JumpWallClock(absl::Hours(24));
  RunFor(absl::Milliseconds(1900));
  EXPECT_EQ(counters().pins.value(), 4u);
  RunFor(absl::Milliseconds(200));
  EXPECT_EQ(counters().pins.value(), 0u);
  EXPECT_EQ(Metric("cairn_leases"), 0);
}

TEST_F(NodePin, NoLeaseOutlivesTheNodesMaximum) {
  options.lease_max = absl::Seconds(1);
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  Pin(*client, 1, ChainKeys(7, 4), absl::Hours(1));
  RunFor(absl::Milliseconds(1100));
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodePin, ALeasesNameIsUsedOnce) {
  const auto client = OpenClient(1);
  const auto other = OpenClient(2);
  Store(*client, 7, 4);
  Pin(*client, 1, ChainKeys(7, 4));
  EXPECT_EQ(StatusOf(Pin(*client, 1, ChainKeys(7, 4))), MissReason::kLease);
  EXPECT_EQ(counters().pins.value(), 4u);
  EXPECT_EQ(StatusOf(Pin(*other, 1, ChainKeys(7, 4))), MissReason::kNone);
  other->Release(1);
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(counters().pins.value(), 4u) << "another session's lease is not its to release";
}

TEST_F(NodePin, TheSessionsEndReleasesItsLeases) {
  auto client = OpenClient(1);
  Store(*client, 7, 4);
  Pin(*client, 1, ChainKeys(7, 4));
  client.reset();
  EXPECT_TRUE(Until([&] { return counters().pins.value() == 0; }));
  EXPECT_TRUE(Until([&] { return Metric("cairn_sessions") == 0; }));
}

TEST_F(NodePin, AnOldIncarnationPinsNothing) {
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  client->set_incarnation(node->incarnation() + 1);
  const wire::PinReply reply = Pin(*client, 1, ChainKeys(7, 4));
  EXPECT_EQ(StatusOf(reply), MissReason::kIncarnation);
  EXPECT_EQ(reply.incarnation, node->incarnation());
  EXPECT_FALSE(Held(reply, 0));
  EXPECT_EQ(Refused("incarnation"), 1);
}

TEST_F(NodePin, WithoutTheRightToReadNothingIsPinned) {
  const auto writer = OpenClient(Claims(1, kTenant, kRightWrite));
  Store(*writer, 7, 4);
  EXPECT_EQ(StatusOf(Pin(*writer, 1, ChainKeys(7, 4))), MissReason::kSession);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodePin, AnotherTenantsBlocksLookAbsent) {
  const auto owner = OpenClient(1);
  const auto stranger = OpenClient(2, kTenant + 1);
  Store(*owner, 7, 4);
  const wire::PinReply foreign = Pin(*stranger, 1, ChainKeys(7, 4));
  const wire::PinReply absent = Pin(*stranger, 2, ChainKeys(8, 4));
  EXPECT_EQ(StatusOf(foreign), StatusOf(absent));
  EXPECT_EQ(foreign.held, absent.held);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodePin, ASessionPinsNoMoreThanItsShare) {
  options.pinned_bytes_per_session_max = 3 * testing::kBlockBytes;
  const auto client = OpenClient(1);
  Store(*client, 7, 6);
  const wire::PinReply first = Pin(*client, 1, ChainKeys(7, 6));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(Held(first, i), i < 3) << i;
  EXPECT_FALSE(Held(Pin(*client, 2, ChainKeys(7, 6)), 0));
  client->Release(1);
  EXPECT_TRUE(Held(Pin(*client, 3, ChainKeys(7, 1)), 0));
}

TEST_F(NodePin, LeasesOfASessionAreBounded) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  for (uint64_t lease = 1; lease <= 4096; ++lease) {
    client->Pin(lease, ChainKeys(7, 1));
    if (lease % 256 == 0) RunFor(absl::Milliseconds(5));
  }
  ASSERT_TRUE(Until([&] { return client->heard().pin_replies.size() == 4096; }));
  EXPECT_EQ(StatusOf(client->heard().pin_replies.back()), MissReason::kNone);
  EXPECT_EQ(StatusOf(Pin(*client, 4097, ChainKeys(7, 1))), MissReason::kOverload);
  client->Release(17);
  EXPECT_EQ(StatusOf(Pin(*client, 4098, ChainKeys(7, 1))), MissReason::kNone);
}

TEST_F(NodePin, PinnedBlocksSurviveEvictionAndAreEvictedAfterwards) {
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  Pin(*client, 1, ChainKeys(7, 4));
  node->shard(0).EvictAll();
  client->Fetch(50, ChainKeys(7, 4));
  ASSERT_TRUE(Until([&] { return client->delivered_bytes(50) == 4 * testing::kBlockBytes; }));
  EXPECT_TRUE(client->Delivered(50, 3, ChainKey(7, 3)));
  client->Release(1);
  RunFor(absl::Milliseconds(10));
  node->shard(0).EvictAll();
  EXPECT_EQ(counters().blocks.value(), 0u);
}

TEST_F(NodePin, AMalformedPinIsCountedAndNotAnswered) {
  const auto client = OpenClient(1);
  wire::Pin pin{};
  wire::Seal(pin, wire::MessageType::kPin);
  pin.incarnation = node->incarnation();
  pin.lease = 1;
  pin.block_count = 5;  // and none follows
  client->Send(client->control(), wire::AsBytes(pin));
  RunFor(absl::Milliseconds(10));
  EXPECT_TRUE(client->heard().pin_replies.empty());
  EXPECT_EQ(Metric("cairn_bad_messages_total"), 1);
}

}  // namespace
}  // namespace cairn
