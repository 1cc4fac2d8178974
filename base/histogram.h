// Log-linear histogram of latencies (nanoseconds) and sizes (bytes): any uint64 value, at most 2 %
// relative error, 15 KiB each. One per reactor, merged at scrape.
#ifndef CAIRN_BASE_HISTOGRAM_H_
#define CAIRN_BASE_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cairn {

// Each power of two is cut into 32 equal buckets, so a bucket's middle is at most 1/64 = 1.6 % off.
inline constexpr int kHistogramSubBucketBits = 5;
inline constexpr size_t kHistogramSubBuckets = size_t{1} << kHistogramSubBucketBits;
inline constexpr size_t kHistogramBuckets =
    (64 - kHistogramSubBucketBits + 1) * kHistogramSubBuckets;

class Histogram;

// What one or several histograms held at one moment. A plain value; one thread at a time.
class HistogramSnapshot {
 public:
  // Adds what `live` has recorded so far; its writer may go on. A value recorded meanwhile is
  // counted wholly now or wholly at the next snapshot, but may be in sum() and not yet in count().
  void Merge(const Histogram& live);
  void Merge(const HistogramSnapshot& other);

  uint64_t count() const { return count_; }
  // Of the exact values; wraps beyond 2^64.
  uint64_t sum() const { return sum_; }
  // Exact; 0 when empty.
  uint64_t max() const { return max_; }
  // The value that this fraction of the recorded values do not exceed, at most 2 % off. fraction: 0
  // to 1, e.g. 0.999 for p99.9. 0 when empty. Never above max().
  uint64_t Quantile(double fraction) const;

 private:
  std::array<uint64_t, kHistogramBuckets> buckets_ = {};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

// Record is for one thread, everything else for any.
class Histogram {
 public:
  Histogram() = default;
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  // A few plain loads and stores: no lock, no locked instruction, no allocation.
  void Record(uint64_t value);
  HistogramSnapshot Snapshot() const;

  // bucket < kHistogramBuckets.
  uint64_t CountIn(size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  uint64_t max() const { return max_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kHistogramBuckets> buckets_ = {};
  std::atomic<uint64_t> sum_ = 0;
  std::atomic<uint64_t> max_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_BASE_HISTOGRAM_H_
