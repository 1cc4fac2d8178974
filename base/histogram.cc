#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace cairn {
namespace {

// Values below 32 have a bucket each. Above, the top six bits of a value choose its bucket: five of
// them (the first is always 1) within its power of two.
size_t BucketOf(uint64_t value) {
  if (value < kHistogramSubBuckets) return value;
  const int shift = std::bit_width(value) - 1 - kHistogramSubBucketBits;
  return static_cast<size_t>(shift) * kHistogramSubBuckets + (value >> shift);
}

uint64_t MiddleOf(size_t bucket) {
  if (bucket < 2 * kHistogramSubBuckets) return bucket;
  const size_t shift = bucket / kHistogramSubBuckets - 1;
  const uint64_t low = (bucket % kHistogramSubBuckets + kHistogramSubBuckets) << shift;
  return low + (uint64_t{1} << shift) / 2;
}

// One writer, so a load and a store suffice; fetch_add would lock the bus for nothing.
void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

void Histogram::Record(uint64_t value) {
  Add(sum_, value);
  if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  Add(buckets_[BucketOf(value)], 1);
}

HistogramSnapshot Histogram::Snapshot() const {
  HistogramSnapshot snapshot;
  snapshot.Merge(*this);
  return snapshot;
}

void HistogramSnapshot::Merge(const Histogram& live) {
  for (size_t i = 0; i < kHistogramBuckets; ++i) {
    const uint64_t recorded = live.CountIn(i);
    buckets_[i] += recorded;
    count_ += recorded;
  }
  sum_ += live.sum();
  max_ = std::max(max_, live.max());
}

void HistogramSnapshot::Merge(const HistogramSnapshot& other) {
  for (size_t i = 0; i < kHistogramBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t HistogramSnapshot::Quantile(double fraction) const {
  CAIRN_CHECK(fraction >= 0 && fraction <= 1);
  const auto rank = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kHistogramBuckets; ++i) {
    seen += buckets_[i];
    if (seen > 0 && seen >= rank) return std::min(MiddleOf(i), max_);
  }
  return max_;
}

}  // namespace cairn
