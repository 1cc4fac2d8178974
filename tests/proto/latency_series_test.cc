#include "proto/latency_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::ElementsAre;

TEST(LatencySeries, TellsWhatCountedSomethingWithoutTrailingZeros) {
  LatencyTable table;
  LatencySnapshot& told = table[{v1::QUEUE, v1::NVME_TIER, 3, 7, v1::BATCH}];
  told.counts[0] = 5;
  told.counts[2] = 1;
  told.sum_ns = 99;
  table[{v1::TOTAL, v1::DRAM_TIER, 1, 0}] = {};
  google::protobuf::RepeatedPtrField<v1::LatencySeries> series;
  AddLatencySeries(table, "tcp", series);
  ASSERT_EQ(series.size(), 1);
  EXPECT_EQ(series[0].stage(), v1::QUEUE);
  EXPECT_EQ(series[0].tier(), v1::NVME_TIER);
  EXPECT_EQ(series[0].size_class(), 3u);
  EXPECT_EQ(series[0].tenant_id(), 7u);
  EXPECT_EQ(series[0].transport(), "tcp");
  EXPECT_EQ(series[0].urgency(), v1::BATCH);
  EXPECT_THAT(series[0].counts(), ElementsAre(5, 0, 1));
  EXPECT_EQ(series[0].sum_ns(), 99u);
}

TEST(LatencySeries, TheBucketBeyondTheLastEdgeIsTold) {
  LatencyTable table;
  table[{}].counts[kLatencyBuckets - 1] = 1;
  google::protobuf::RepeatedPtrField<v1::LatencySeries> series;
  AddLatencySeries(table, "sim", series);
  ASSERT_EQ(series.size(), 1);
  EXPECT_EQ(static_cast<size_t>(series[0].counts_size()), kLatencyBuckets);
}

}  // namespace
}  // namespace cairn
