#include "base/latency_buckets.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(LatencyBuckets, AnEdgeBelongsToTheBucketThatItEnds) {
  EXPECT_EQ(LatencyBucket(0), 0u);
  for (size_t i = 0; i < kLatencyEdgesNs.size(); ++i) {
    EXPECT_EQ(LatencyBucket(kLatencyEdgesNs[i]), i);
    EXPECT_EQ(LatencyBucket(kLatencyEdgesNs[i] + 1), i + 1);
  }
  EXPECT_EQ(LatencyBucket(UINT64_MAX), kLatencyBuckets - 1);
}

TEST(LatencyBuckets, ABlockIsOfTheSmallestClassThatHoldsIt) {
  EXPECT_EQ(SizeClass(1), 0u);
  for (size_t i = 0; i + 1 < kSizeClassBytes.size(); ++i) {
    EXPECT_EQ(SizeClass(kSizeClassBytes[i]), i);
    EXPECT_EQ(SizeClass(kSizeClassBytes[i] + 1), i + 1);
  }
  EXPECT_EQ(SizeClass(UINT64_MAX), kSizeClassBytes.size() - 1);
}

}  // namespace
}  // namespace cairn
