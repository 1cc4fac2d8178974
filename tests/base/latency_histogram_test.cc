#include "base/latency_histogram.h"

#include <thread>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(LatencyHistogram, CountsAValueInItsBucketAndAddsItUp) {
  LatencyHistogram histogram;
  histogram.Record(0);
  histogram.Record(kLatencyEdgesNs[3]);
  histogram.Record(kLatencyEdgesNs[3] + 1);
  histogram.Record(60'000'000'000);
  LatencySnapshot snapshot;
  snapshot.Merge(histogram);
  EXPECT_EQ(snapshot.counts[0], 1u);
  EXPECT_EQ(snapshot.counts[3], 1u);
  EXPECT_EQ(snapshot.counts[4], 1u);
  EXPECT_EQ(snapshot.counts[kLatencyBuckets - 1], 1u);
  EXPECT_EQ(snapshot.count(), 4u);
  EXPECT_EQ(snapshot.sum_ns, 2 * kLatencyEdgesNs[3] + 1 + 60'000'000'000);
}

TEST(LatencyHistogram, SnapshotsAddUp) {
  LatencyHistogram one;
  LatencyHistogram other;
  one.Record(5);
  other.Record(7);
  other.Record(kLatencyEdgesNs[0] + 1);
  LatencySnapshot both;
  EXPECT_EQ(both.count(), 0u);
  both.Merge(one);
  both.Merge(other);
  EXPECT_EQ(both.counts[0], 2u);
  EXPECT_EQ(both.counts[1], 1u);
  EXPECT_EQ(both.sum_ns, 12 + kLatencyEdgesNs[0] + 1);
}

TEST(LatencyHistogram, IsReadWhileItsThreadRecords) {
  constexpr uint64_t kRecorded = 200'000;
  LatencyHistogram histogram;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRecorded; ++i) histogram.Record(i);
  });
  for (uint64_t before = 0; before < kRecorded;) {
    LatencySnapshot now;
    now.Merge(histogram);
    EXPECT_GE(now.count(), before);
    before = now.count();
  }
  writer.join();
  LatencySnapshot all;
  all.Merge(histogram);
  EXPECT_EQ(all.count(), kRecorded);
  EXPECT_EQ(all.sum_ns, kRecorded * (kRecorded - 1) / 2);
}

}  // namespace
}  // namespace cairn
