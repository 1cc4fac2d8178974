#include "base/histogram.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

constexpr double kErrorMax = 0.02;

void ExpectNear(uint64_t estimate, uint64_t exact) {
  const double bound = kErrorMax * static_cast<double>(exact);
  EXPECT_LE(std::abs(static_cast<double>(estimate) - static_cast<double>(exact)), bound)
      << estimate << " for " << exact;
}

TEST(Histogram, AnEmptyOneIsAllZero) {
  const auto histogram = std::make_unique<Histogram>();
  const HistogramSnapshot snapshot = histogram->Snapshot();
  EXPECT_EQ(snapshot.count(), 0u);
  EXPECT_EQ(snapshot.sum(), 0u);
  EXPECT_EQ(snapshot.max(), 0u);
  EXPECT_EQ(snapshot.Quantile(0.5), 0u);
}

TEST(Histogram, EverySingleValueIsReportedWithinTwoPercent) {
  SeededRandom random(7);
  std::vector<uint64_t> values = {0, 1, 31, 32, 33, 63, 64, 65, UINT64_MAX, UINT64_MAX - 1};
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t power = uint64_t{1} << bit;
    values.insert(values.end(), {power - 1, power, power + 1, power + random.Below(power)});
  }
  for (const uint64_t value : values) {
    // A far larger companion keeps the exact maximum from hiding the bucket's error.
    const auto histogram = std::make_unique<Histogram>();
    histogram->Record(value);
    histogram->Record(UINT64_MAX);
    ExpectNear(histogram->Snapshot().Quantile(0.5), value);
  }
}

TEST(Histogram, QuantilesOfRandomSetsAreWithinTwoPercent) {
  SeededRandom random(11);
  for (int round = 0; round < 50; ++round) {
    const auto histogram = std::make_unique<Histogram>();
    std::vector<uint64_t> values(1 + random.Below(5'000));
    for (uint64_t& value : values) {
      value = random.Next() >> random.Below(64);
      histogram->Record(value);
    }
    std::sort(values.begin(), values.end());
    const HistogramSnapshot snapshot = histogram->Snapshot();
    EXPECT_EQ(snapshot.count(), values.size());
    EXPECT_EQ(snapshot.max(), values.back());
    for (const double fraction : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = std::max<size_t>(
          1, static_cast<size_t>(std::ceil(fraction * static_cast<double>(values.size()))));
      ExpectNear(snapshot.Quantile(fraction), values[rank - 1]);
    }
  }
}

TEST(Histogram, SumAndMaxAreExact) {
  const auto histogram = std::make_unique<Histogram>();
  for (const uint64_t value : {1'000'003u, 7u, 999u}) histogram->Record(value);
  const HistogramSnapshot snapshot = histogram->Snapshot();
  EXPECT_EQ(snapshot.sum(), 1'001'009u);
  EXPECT_EQ(snapshot.max(), 1'000'003u);
  EXPECT_EQ(snapshot.Quantile(1), 1'000'003u);
}

TEST(Histogram, MergingIsTheSameAsRecordingAllInOne) {
  SeededRandom random(13);
  const auto first = std::make_unique<Histogram>();
  const auto second = std::make_unique<Histogram>();
  const auto all = std::make_unique<Histogram>();
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t value = random.Next() >> random.Below(64);
    (i % 3 == 0 ? first : second)->Record(value);
    all->Record(value);
  }
  HistogramSnapshot merged = first->Snapshot();
  merged.Merge(second->Snapshot());
  const HistogramSnapshot expected = all->Snapshot();
  EXPECT_EQ(merged.count(), expected.count());
  EXPECT_EQ(merged.sum(), expected.sum());
  EXPECT_EQ(merged.max(), expected.max());
  for (int per_mille = 0; per_mille <= 1000; ++per_mille) {
    EXPECT_EQ(merged.Quantile(per_mille / 1000.0), expected.Quantile(per_mille / 1000.0));
  }
}

TEST(HistogramDeathTest, APercentageIsNoFraction) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_DEATH(histogram->Snapshot().Quantile(99), "fraction <= 1");
}

TEST(Histogram, AnotherThreadMaySnapshotWhileTheWriterRecords) {
  constexpr uint64_t kRecords = 200'000;
  const auto histogram = std::make_unique<Histogram>();
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRecords; ++i) histogram->Record(i);
    done.store(true, std::memory_order_release);
  });
  uint64_t last_count = 0;
  while (!done.load(std::memory_order_acquire)) {
    const HistogramSnapshot snapshot = histogram->Snapshot();
    EXPECT_GE(snapshot.count(), last_count);
    EXPECT_LE(snapshot.count(), kRecords);
    last_count = snapshot.count();
  }
  writer.join();
  EXPECT_EQ(histogram->Snapshot().count(), kRecords);
  EXPECT_EQ(histogram->Snapshot().sum(), kRecords * (kRecords - 1) / 2);
}

}  // namespace
}  // namespace cairn
