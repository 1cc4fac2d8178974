// A cache that is full.
#include <fstream>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

constexpr uint64_t kDramBytes = 128u << 20;
constexpr uint32_t kBlockBytes = 1u << 20;
constexpr size_t kBlocks = 32;  // a batch
constexpr absl::Duration kTimeout = absl::Seconds(5);

class Limits : public ClusterTest {
 protected:
  void SetUp() override {
    Start(1, kDramBytes);
    EngineOptions options = MakeEngineOptions();
    options.block_bytes = kBlockBytes;
    options.blocks = kBlocks;
    auto connected = Engine::Connect(options);
    ASSERT_TRUE(connected.ok()) << connected.status();
    engine = *std::move(connected);
  }
  void ExpectNotGrown() {
    EXPECT_LE(Sum("cairn_dram_used_bytes"), static_cast<double>(kDramBytes));
    std::ifstream status(absl::StrCat("/proc/", cluster->processes()[1].pid(), "/status"));
    std::string line;
    while (std::getline(status, line)) {
      if (!absl::StartsWith(line, "VmHWM:")) continue;
      EXPECT_LT(std::stod(line.substr(6)) * 1024, static_cast<double>(kDramBytes + (128u << 20)));
    }
  }

  std::unique_ptr<Engine> engine;
};

TEST_F(Limits, AFullCacheEvictsAndNeverGrows) {
  for (uint64_t round = 0; round < 4 * kDramBytes / kBlockBytes / kBlocks; ++round) {
    const std::vector<BlockKey> keys = engine->Keys(round, kBlocks);
    const Outcome put = engine->Put(keys, kTimeout);
    EXPECT_EQ(put.late, 0u);
    const Outcome got = engine->Get(keys, kTimeout);
    EXPECT_EQ(got.wrong_bytes, 0u);
    EXPECT_GE(got.ok, put.ok);
  }
  EXPECT_GT(Sum("cairn_evicted_blocks_total"), 0);
  ExpectNotGrown();
}

TEST_F(Limits, ACacheFullOfHeldBlocksRefusesAndNeverGrows) {
  std::vector<std::vector<BlockKey>> held;
  std::vector<LeaseId> leases;
  Outcome put;
  for (uint64_t round = 0;; ++round) {
    const std::vector<BlockKey> keys = engine->Keys(round, kBlocks);
    put = engine->Put(keys, kTimeout);
    if (put.ok < kBlocks) break;
    const Completion match = engine->Match(keys, kTimeout);
    ASSERT_EQ(match.blocks, kBlocks);
    leases.push_back(match.lease);
    held.push_back(keys);
    ASSERT_LE(held.size() * kBlocks * kBlockBytes, kDramBytes);
  }
  EXPECT_EQ(put.reasons, (std::map<std::string, size_t>{{"capacity", kBlocks - put.ok}}));
  for (const std::vector<BlockKey>& keys : held) {
    const Outcome got = engine->Get(keys, kTimeout);
    EXPECT_EQ(got.ok, kBlocks);
    EXPECT_EQ(got.wrong_bytes, 0u);
  }
  ExpectNotGrown();
  for (const LeaseId lease : leases) engine->client().Release(lease);
  EXPECT_TRUE(Eventually(absl::Seconds(10), [this] {
    return engine->Put(engine->Keys(1000, kBlocks), kTimeout).ok == kBlocks;
  }));
}

}  // namespace
}  // namespace cairn::process
