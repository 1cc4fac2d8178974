// A reader's doubt: checked against the node's own copy, and believed only then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::ChainKey;
using testing::ChainKeys;
using wire::MissReason;

struct NodeSuspect : testing::NodeFixture {
  // Flips a bit of a stored block where the node keeps it.
  void Rot(const BlockKey& key) {
    Shard& shard = node->shard(0);
    const BlockRef block = shard.Pin(*shard.InternScope(kTenant, testing::kNamespace), key);
    ASSERT_NE(block, BlockRef::kNone);
    shard.arena()[shard.Info(block).offset_bytes + 1000] ^= std::byte{1};
    shard.Unpin(block);
  }
};

TEST_F(NodeSuspect, ARottenBlockIsQuarantinedWithItsDescendants) {
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  Rot(ChainKey(7, 6));
  client->Suspect(ChainKey(7, 6));
  EXPECT_TRUE(Until([&] { return counters().quarantined_total.value() == 1; }));
  EXPECT_EQ(counters().blocks.value(), 6u) << "block 7 hangs on block 6";
  client->Fetch(50, {ChainKey(7, 6)});
  EXPECT_EQ(FetchFailure(*client, 50), MissReason::kAbsent);
  Store(*client, 7, 8);
  client->Fetch(51, ChainKeys(7, 8));
  EXPECT_TRUE(Until([&] { return client->Delivered(51, 6, ChainKey(7, 6)); }));
}

TEST_F(NodeSuspect, AGoodBlockStaysWhateverIsSaidOfIt) {
  const auto client = OpenClient(1);
  Store(*client, 7, 2);
  client->Suspect(ChainKey(7, 1));
  client->Suspect(ChainKey(8, 0));
  RunFor(absl::Milliseconds(50));
  EXPECT_EQ(counters().quarantined_total.value(), 0u);
  EXPECT_EQ(counters().blocks.value(), 2u);
  EXPECT_EQ(counters().pins.value(), 0u);
}

TEST_F(NodeSuspect, SuspicionsAreLookedIntoAtAMeasuredPace) {
  const auto client = OpenClient(1);
  Store(*client, 1, 1);
  Store(*client, 2, 1);
  Rot(ChainKey(1, 0));
  Rot(ChainKey(2, 0));
  client->Suspect(ChainKey(1, 0));
  client->Suspect(ChainKey(2, 0));
  RunFor(absl::Milliseconds(5));
  EXPECT_EQ(counters().quarantined_total.value(), 1u);
  RunFor(absl::Milliseconds(20));
  client->Suspect(ChainKey(2, 0));
  EXPECT_TRUE(Until([&] { return counters().quarantined_total.value() == 2; }));
}

TEST_F(NodeSuspect, AnOldIncarnationsSuspicionIsIgnored) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  Rot(ChainKey(7, 0));
  client->set_incarnation(node->incarnation() + 1);
  client->Suspect(ChainKey(7, 0));
  RunFor(absl::Milliseconds(50));
  EXPECT_EQ(counters().quarantined_total.value(), 0u);
}

TEST_F(NodeSuspect, AnotherTenantCannotPointAtABlock) {
  const auto owner = OpenClient(1);
  const auto stranger = OpenClient(2, kTenant + 1);
  Store(*owner, 7, 1);
  Rot(ChainKey(7, 0));
  stranger->Suspect(ChainKey(7, 0));
  RunFor(absl::Milliseconds(50));
  EXPECT_EQ(counters().quarantined_total.value(), 0u);
}

TEST_F(NodeSuspect, AQuarantinedBlockThatIsBeingReadGoesWhenItIsRead) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  client->Pin(1, ChainKeys(7, 1));
  PinAnswer(*client);
  Rot(ChainKey(7, 0));
  client->Suspect(ChainKey(7, 0));
  ASSERT_TRUE(Until([&] { return counters().quarantined_total.value() == 1; }));
  EXPECT_EQ(counters().blocks.value(), 0u);
  EXPECT_EQ(counters().used_bytes.value(), uint64_t{testing::kBlockBytes});
  client->Release(1);
  EXPECT_TRUE(Until([&] { return counters().used_bytes.value() == 0; }));
}

}  // namespace
}  // namespace cairn
