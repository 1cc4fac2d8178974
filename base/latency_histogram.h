// Histogram of latencies over the buckets of base/latency_buckets.h: what leaves a process. 176
// bytes each, so that there can be one per stage, tier, size class and tenant.
#ifndef CAIRN_BASE_LATENCY_HISTOGRAM_H_
#define CAIRN_BASE_LATENCY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "base/latency_buckets.h"

namespace cairn {

// Record is for one thread, everything else for any. A value that is being recorded meanwhile may
// be in sum_ns() and not yet in its bucket.
class LatencyHistogram {
 public:
  LatencyHistogram() = default;
  LatencyHistogram(const LatencyHistogram&) = delete;
  LatencyHistogram& operator=(const LatencyHistogram&) = delete;

  // A few plain loads and stores: no lock, no locked instruction, no allocation.
  void Record(uint64_t latency_ns) {
    Add(sum_ns_, latency_ns);
    Add(counts_[LatencyBucket(latency_ns)], 1);
  }

  // bucket < kLatencyBuckets.
  uint64_t CountIn(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  uint64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }

 private:
  // One writer, so that a load and a store make an increment.
  static void Add(std::atomic<uint64_t>& figure, uint64_t amount) {
    figure.store(figure.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, kLatencyBuckets> counts_ = {};
  std::atomic<uint64_t> sum_ns_ = 0;
};

// What one or several histograms held at one moment. A plain value.
struct LatencySnapshot {
  std::array<uint64_t, kLatencyBuckets> counts = {};
  uint64_t sum_ns = 0;

  void Merge(const LatencyHistogram& live) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += live.CountIn(i);
    sum_ns += live.sum_ns();
  }
  void Merge(const LatencySnapshot& other) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum_ns += other.sum_ns;
  }
  uint64_t count() const { return std::accumulate(counts.begin(), counts.end(), uint64_t{0}); }
};

}  // namespace cairn

#endif  // CAIRN_BASE_LATENCY_HISTOGRAM_H_
