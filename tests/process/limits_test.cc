// A cache that is full.
#include <fstream>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

using Limits = ClusterTest;

TEST_F(Limits, AFullCacheEvictsAndNeverGrows) {
  constexpr uint64_t kDramBytes = 128u << 20;
  Start(1, kDramBytes);
  EngineOptions options = MakeEngineOptions();
  options.block_bytes = 1u << 20;
  options.blocks = 32;
  const auto connected = Engine::Connect(options);
  ASSERT_TRUE(connected.ok()) << connected.status();
  Engine& engine = **connected;
  for (uint64_t round = 0; round < 4 * (kDramBytes >> 20) / 32; ++round) {
    const std::vector<BlockKey> keys = engine.Keys(round, 32);
    const Outcome put = engine.Put(keys, absl::Seconds(5));
    EXPECT_EQ(put.late, 0u);
    const Outcome got = engine.Get(keys, absl::Seconds(5));
    EXPECT_EQ(got.wrong_bytes, 0u);
    EXPECT_GE(got.ok, put.ok);
  }
  const std::string& http = cluster->node_http()[0];
  EXPECT_GT(Metric(http, "cairn_evicted_blocks_total"), 0);
  EXPECT_LE(Metric(http, "cairn_dram_used_bytes"), static_cast<double>(kDramBytes));
  std::ifstream status(absl::StrCat("/proc/", cluster->processes()[1].pid(), "/status"));
  std::string line;
  while (std::getline(status, line)) {
    if (!absl::StartsWith(line, "VmHWM:")) continue;
    EXPECT_LT(std::stod(line.substr(6)) * 1024, static_cast<double>(kDramBytes + (128u << 20)));
  }
}

}  // namespace
}  // namespace cairn::process
