// The way out: what is in flight ends, nothing new begins.
#include <gtest/gtest.h>

#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::ChainKey;
using testing::ChainKeys;
using testing::kBlockBytes;
using wire::MissReason;

struct NodeDrain : testing::NodeFixture {};

TEST_F(NodeDrain, EverySessionHearsGoodbyeOnce) {
  const auto a = OpenClient(1);
  const auto b = OpenClient(2);
  node->BeginDrain();
  RunFor(absl::Milliseconds(500));
  EXPECT_EQ(a->heard().goodbyes, 1);
  EXPECT_EQ(b->heard().goodbyes, 1);
}

TEST_F(NodeDrain, PutsAreRefusedAndReadsAreServed) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  node->BeginDrain();
  client->PutChain(100, 8, 0);
  EXPECT_EQ(PutAnswer(*client, 100), MissReason::kDraining);
  client->Fetch(50, ChainKeys(7, 1));
  EXPECT_TRUE(Until([&] { return client->Delivered(50, 0, ChainKey(7, 0)); }));
}

TEST_F(NodeDrain, AnIdleNodeIsDrainedSoonAndOnlyWhenToldTo) {
  Start();
  RunFor(absl::Seconds(1));
  EXPECT_FALSE(node->drained());
  node->BeginDrain();
  EXPECT_TRUE(Until([&] { return node->drained(); }, absl::Milliseconds(200)));
}

TEST_F(NodeDrain, IsNotDrainedBeforeWhatIsInFlightHasEnded) {
  const auto client = OpenClient(1);
  Store(*client, 7, 4);
  RunFor(absl::Milliseconds(200));
  world.link(kNodeIp, client->host().ip()).bytes_per_second = 2'000'000;
  client->Fetch(50, ChainKeys(7, 4));
  // Within the interval of housekeeping: the reactor has not told yet that it is busy.
  ASSERT_TRUE(Until([&] { return counters().pins.value() == 4; }, absl::Milliseconds(20)));
  node->BeginDrain();
  ASSERT_TRUE(Until([&] { return node->drained(); }));
  EXPECT_EQ(client->delivered_bytes(50), 4u * kBlockBytes);
}

TEST_F(NodeDrain, APutInFlightLandsAndIsAcknowledgedBeforeTheNodeIsDrained) {
  const auto client = OpenClient(1);
  RunFor(absl::Milliseconds(200));
  world.link(client->host().ip(), kNodeIp).bytes_per_second = 2'000'000;
  client->PutChain(1, 7, 0);
  ASSERT_TRUE(Until([&] { return counters().reservations.value() == 1; }, absl::Milliseconds(20)));
  node->BeginDrain();
  ASSERT_TRUE(Until([&] { return node->drained(); }));
  EXPECT_EQ(PutAnswer(*client, 1), MissReason::kNone);
}

TEST_F(NodeDrain, ADrainingNodeIsNotReady) {
  Start();
  node->BeginDrain();
  RunFor(absl::Milliseconds(100));
  EXPECT_FALSE(node->ready());
  EXPECT_EQ(Metric("cairn_node_ready"), 0);
}

}  // namespace
}  // namespace cairn
