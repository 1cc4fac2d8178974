#include "server/node/get_latencies.h"

#include <map>
#include <memory>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr uint64_t kBytes = 64 << 10;
constexpr uint32_t kClass = 1;

struct GetLatenciesTest : ::testing::Test {
  const LatencySnapshot& At(v1::Stage stage, v1::BlockTier tier = v1::DRAM_TIER,
                            TenantId tenant = 0, uint32_t size_class = kClass,
                            v1::Urgency urgency = v1::STANDARD) {
    table.clear();
    latencies.AddTo(table);
    return table[{stage, tier, size_class, tenant, urgency}];
  }
  uint64_t All(v1::Stage stage) {
    table.clear();
    latencies.AddTo(table);
    uint64_t count = 0;
    for (const auto& [labels, snapshot] : table) {
      if (labels.stage == stage) count += snapshot.count();
    }
    return count;
  }

  GetLatencies latencies;
  LatencyTable table;
};

TEST_F(GetLatenciesTest, TheStagesOfADramBlockAddUpToItsTotal) {
  latencies.Record(1, v1::DRAM_TIER, v1::STANDARD, kBytes, {{100}, {100}, {130}, {1000}});
  EXPECT_EQ(At(v1::TOTAL, v1::DRAM_TIER, 1).sum_ns, 900u);
  EXPECT_EQ(At(v1::QUEUE).sum_ns, 30u);
  EXPECT_EQ(At(v1::NETWORK).sum_ns, 870u);
  EXPECT_EQ(All(v1::MEDIA), 0u);
}

TEST_F(GetLatenciesTest, ABlockFromADriveHasAMediaStage) {
  latencies.Record(1, v1::NVME_TIER, v1::STANDARD, kBytes, {{100}, {700}, {800}, {1000}});
  EXPECT_EQ(At(v1::TOTAL, v1::NVME_TIER, 1).sum_ns, 900u);
  EXPECT_EQ(At(v1::MEDIA, v1::NVME_TIER).sum_ns, 600u);
  EXPECT_EQ(At(v1::QUEUE, v1::NVME_TIER).sum_ns, 100u);
  EXPECT_EQ(At(v1::NETWORK, v1::NVME_TIER).sum_ns, 200u);
}

TEST_F(GetLatenciesTest, SizesAreApart) {
  latencies.Record(1, v1::DRAM_TIER, v1::STANDARD, 1, {{0}, {0}, {0}, {5}});
  latencies.Record(1, v1::DRAM_TIER, v1::STANDARD, 4 << 20, {{0}, {0}, {0}, {7}});
  EXPECT_EQ(At(v1::TOTAL, v1::DRAM_TIER, 1, 0).sum_ns, 5u);
  EXPECT_EQ(At(v1::TOTAL, v1::DRAM_TIER, 1, 4).sum_ns, 7u);
}

TEST_F(GetLatenciesTest, UrgenciesAreApartInEveryStage) {
  latencies.Record(1, v1::NVME_TIER, v1::INTERACTIVE, kBytes, {{0}, {1}, {3}, {7}});
  latencies.Record(1, v1::NVME_TIER, v1::BATCH, kBytes, {{0}, {10}, {30}, {70}});
  for (const auto& [stage, interactive_ns] : std::map<v1::Stage, uint64_t>{
           {v1::TOTAL, 7}, {v1::MEDIA, 1}, {v1::QUEUE, 2}, {v1::NETWORK, 4}}) {
    const TenantId tenant = stage == v1::TOTAL ? 1 : 0;
    const auto sum_ns = [&](v1::Urgency urgency) {
      return At(stage, v1::NVME_TIER, tenant, kClass, urgency).sum_ns;
    };
    EXPECT_EQ(sum_ns(v1::INTERACTIVE), interactive_ns) << v1::Stage_Name(stage);
    EXPECT_EQ(sum_ns(v1::BATCH), 10 * interactive_ns) << v1::Stage_Name(stage);
    EXPECT_EQ(sum_ns(v1::STANDARD), 0u) << v1::Stage_Name(stage);
  }
}

TEST_F(GetLatenciesTest, TheFirstTenantsHaveASeriesEachAndTheRestOneTogether) {
  constexpr TenantId kTenants = kTenantSeriesMax + 3;
  for (int round = 0; round < 2; ++round) {
    for (TenantId tenant = 1; tenant <= kTenants; ++tenant) {
      latencies.Record(tenant, v1::DRAM_TIER, v1::STANDARD, kBytes, {{0}, {0}, {0}, {5}});
    }
  }
  for (TenantId tenant = 1; tenant <= kTenantSeriesMax; ++tenant) {
    EXPECT_EQ(At(v1::TOTAL, v1::DRAM_TIER, tenant).count(), 2u) << tenant;
  }
  EXPECT_EQ(At(v1::TOTAL, v1::DRAM_TIER, 0).count(), 6u);
  EXPECT_EQ(All(v1::TOTAL), 2 * kTenants);
  EXPECT_EQ(At(v1::NETWORK).count(), 2 * kTenants) << "stages are of all tenants";
}

// The clock stands still when a reactor ends.
TEST_F(GetLatenciesTest, ATimeThatRunsBackwardsIsNone) {
  latencies.Record(1, v1::DRAM_TIER, v1::STANDARD, kBytes, {{100}, {100}, {300}, {200}});
  EXPECT_EQ(At(v1::NETWORK).sum_ns, 0u);
  EXPECT_EQ(At(v1::NETWORK).counts[0], 1u);
}

}  // namespace
}  // namespace cairn
