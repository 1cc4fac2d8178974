// The buckets of latency histograms that leave a process, and the size classes of blocks.
// Objectives' thresholds are edges of these buckets, so that a share is a sum of counts and never
// an estimate.
#ifndef CAIRN_BASE_LATENCY_BUCKETS_H_
#define CAIRN_BASE_LATENCY_BUCKETS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace cairn {

inline constexpr uint64_t kNsPerUs = 1000;
// Upper edges, inclusive: 10 us to 30 s.
inline constexpr std::array<uint64_t, 20> kLatencyEdgesNs = {
    10 * kNsPerUs,        20 * kNsPerUs,        50 * kNsPerUs,         100 * kNsPerUs,
    200 * kNsPerUs,       500 * kNsPerUs,       1'000 * kNsPerUs,      2'000 * kNsPerUs,
    5'000 * kNsPerUs,     10'000 * kNsPerUs,    20'000 * kNsPerUs,     50'000 * kNsPerUs,
    100'000 * kNsPerUs,   200'000 * kNsPerUs,   500'000 * kNsPerUs,    1'000'000 * kNsPerUs,
    2'000'000 * kNsPerUs, 5'000'000 * kNsPerUs, 10'000'000 * kNsPerUs, 30'000'000 * kNsPerUs};
// The last counts what took longer than the last edge.
inline constexpr size_t kLatencyBuckets = kLatencyEdgesNs.size() + 1;

// Upper bounds, inclusive; the last is the largest block.
inline constexpr std::array<uint64_t, 7> kSizeClassBytes = {
    16u << 10, 64u << 10, 256u << 10, 1u << 20, 4u << 20, 16u << 20, 64u << 20};

constexpr size_t LatencyBucket(uint64_t latency_ns) {
  return static_cast<size_t>(
      std::lower_bound(kLatencyEdgesNs.begin(), kLatencyEdgesNs.end(), latency_ns) -
      kLatencyEdgesNs.begin());
}

// Larger blocks than there are fall into the last class.
constexpr size_t SizeClass(uint64_t bytes) {
  const auto* found = std::lower_bound(kSizeClassBytes.begin(), kSizeClassBytes.end(), bytes);
  return std::min(static_cast<size_t>(found - kSizeClassBytes.begin()), kSizeClassBytes.size() - 1);
}

}  // namespace cairn

#endif  // CAIRN_BASE_LATENCY_BUCKETS_H_
