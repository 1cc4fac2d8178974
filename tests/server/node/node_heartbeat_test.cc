// What a node tells its coordinators of its gets and its load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/latency_buckets.h"
#include "cairn/v1/coordinator.pb.h"
#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using testing::ChainKey;
using testing::ChainKeys;
using testing::kBlockBytes;
using testing::WireClient;

constexpr uint32_t kChunk = 64 << 10;

struct NodeHeartbeat : testing::NodeFixture {
  NodeHeartbeat() {
    CAIRN_CHECK(coordinator_host
                    .Serve(kCoordinator,
                           [this](const std::string& method, const std::string& bytes) {
                             return Answer(method.substr(method.rfind('/') + 1), bytes);
                           })
                    .ok());
  }
  absl::StatusOr<std::string> Answer(const std::string& method, const std::string& bytes) {
    if (method == "RegisterNode") {
      v1::RegisterNodeReply reply;
      reply.set_heartbeat_interval_ms(100);
      return reply.SerializeAsString();
    }
    if (method != "Heartbeat") return v1::ReportReply().SerializeAsString();
    CAIRN_CHECK(heard.ParseFromString(bytes));
    ++heartbeats;
    v1::HeartbeatReply reply;
    reply.set_known(true);
    return reply.SerializeAsString();
  }
  // One that was filled after this call.
  const v1::HeartbeatRequest& Next() {
    const int before = heartbeats;
    EXPECT_TRUE(Until([&] { return heartbeats > before + 1; }));
    return heard;
  }
  // Of the last heartbeat; null: not there.
  const v1::LatencySeries* Find(v1::Stage stage, v1::BlockTier tier, TenantId tenant) const {
    for (const v1::LatencySeries& series : heard.latency()) {
      const bool fits = series.stage() == stage && series.tier() == tier;
      if (fits && series.tenant_id() == tenant) return &series;
    }
    return nullptr;
  }
  static uint64_t CountOf(const v1::LatencySeries& series) {
    uint64_t count = 0;
    for (const uint64_t in_bucket : series.counts()) count += in_bucket;
    return count;
  }
  uint64_t SumOf(v1::Stage stage, v1::BlockTier tier, TenantId tenant) const {
    const v1::LatencySeries* series = Find(stage, tier, tenant);
    return series == nullptr ? 0 : series->sum_ns();
  }
  void Get(WireClient& client, uint64_t request, const std::vector<BlockKey>& keys) {
    client.Fetch(request, keys);
    ASSERT_TRUE(
        Until([&] { return client.delivered_bytes(request) == keys.size() * kBlockBytes; }));
  }

  v1::HeartbeatRequest heard;
  int heartbeats = 0;
};

TEST_F(NodeHeartbeat, TellsTheStagesOfGetsFromMemory) {
  const auto client = OpenClient(1);
  Store(*client, 7, 3);
  Get(*client, 50, ChainKeys(7, 3));
  Next();
  EXPECT_EQ(heard.transport(), "sim");
  for (const auto& [stage, tenant] :
       {std::pair{v1::TOTAL, kTenant}, std::pair{v1::QUEUE, 0u}, std::pair{v1::NETWORK, 0u}}) {
    const v1::LatencySeries* series = Find(stage, v1::DRAM_TIER, tenant);
    ASSERT_NE(series, nullptr) << v1::Stage_Name(stage);
    EXPECT_EQ(CountOf(*series), 3u);
    EXPECT_EQ(series->size_class(), SizeClass(kBlockBytes));
    EXPECT_EQ(series->transport(), "sim");
  }
  EXPECT_EQ(heard.latency_size(), 3);
}

TEST_F(NodeHeartbeat, TheWaitForASlowClientIsQueueAndTheRestNetwork) {
  options.session_inflight_bytes_max = kChunk;
  const auto client = OpenClient(1);
  Store(*client, 7, 8);
  world.link(kNodeIp, client->host().ip()).bytes_per_second = 10'000'000;
  client->Fetch(50, ChainKeys(7, 8));
  RunFor(absl::Milliseconds(150));
  EXPECT_GT(heard.queued_blocks(), 0u);
  ASSERT_TRUE(Until([&] { return client->delivered_bytes(50) == 8 * kBlockBytes; }));
  Next();
  EXPECT_EQ(heard.queued_blocks(), 0u);
  const uint64_t total = SumOf(v1::TOTAL, v1::DRAM_TIER, kTenant);
  const uint64_t queue = SumOf(v1::QUEUE, v1::DRAM_TIER, 0);
  EXPECT_EQ(total, queue + SumOf(v1::NETWORK, v1::DRAM_TIER, 0));
  // Each of eight waits for those before it: 28 of the 26 ms that a block takes.
  EXPECT_GT(queue, 28u * 20'000'000);
  EXPECT_LT(queue, 28u * 35'000'000);
}

TEST_F(NodeHeartbeat, ABlockOnADriveAloneHasItsMediaTimeTold) {
  options.capacity_bytes = 16u << 20;
  options.nvme_paths = {"drive"};
  options.nvme_bytes = 256u << 20;
  options.nvme_segment_bytes = 4u << 20;
  options.nvme_daily_write_bytes = uint64_t{1} << 40;
  Start();
  Next();  // its drives are open
  const auto client = OpenClient(1);
  constexpr uint32_t kStored = 96;  // 24 MiB
  for (uint32_t chain = 0; chain < kStored; ++chain) Store(*client, chain, 1);
  RunFor(absl::Seconds(1));
  for (uint32_t chain = 0; chain < kStored; ++chain) {
    client->Fetch(1000 + chain, {ChainKey(chain, 0)});
    RunFor(absl::Milliseconds(50));
  }
  Next();
  const v1::LatencySeries* media = Find(v1::MEDIA, v1::NVME_TIER, 0);
  ASSERT_NE(media, nullptr);
  EXPECT_GT(CountOf(*media), 10u);
  EXPECT_GT(media->sum_ns(), 0u);
  EXPECT_EQ(
      SumOf(v1::TOTAL, v1::NVME_TIER, kTenant),
      media->sum_ns() + SumOf(v1::QUEUE, v1::NVME_TIER, 0) + SumOf(v1::NETWORK, v1::NVME_TIER, 0));
  EXPECT_EQ(Find(v1::MEDIA, v1::DRAM_TIER, 0), nullptr);
  EXPECT_EQ(heard.nvme().write_budget_bytes(), uint64_t{1} << 40);
  EXPECT_GT(heard.nvme().write_budget_left_bytes(), 0u);
}

// Or `cairn up` says that it is up, and ends.
TEST_F(NodeHeartbeat, ANodeThatItsDriveRefusesIsAtNoMomentReady) {
  options.nvme_paths = {"drive"};
  options.nvme_bytes = 256u << 20;
  options.nvme_segment_bytes = 4u << 20;
  Start();
  EXPECT_TRUE(Next().ready());
  node_host.Crash(SimCrash::kProcess);
  node.reset();
  node_host.Boot();
  options.state_folder = "another";
  Start();
  const int before = heartbeats;
  ASSERT_TRUE(Until([&] {
    EXPECT_FALSE(node->ready());
    return heartbeats > before + 2;
  }));
  EXPECT_FALSE(heard.ready());
  EXPECT_FALSE(node->refusal().ok());
}

TEST_F(NodeHeartbeat, TellsNoLatencyThatWasNotRecorded) {
  options.record_latencies = false;
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  Get(*client, 50, ChainKeys(7, 1));
  Next();
  EXPECT_EQ(heard.counters().get_hits(), 1u);
  EXPECT_EQ(heard.latency_size(), 0);
}

}  // namespace
}  // namespace cairn
