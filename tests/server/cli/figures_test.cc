#include "server/cli/figures.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

TEST(Figures, WhatMovesHasThreeDigitsAndADecimalUnit) {
  EXPECT_EQ(FormatMoved(0), "0 B");
  EXPECT_EQ(FormatMoved(999), "999 B");
  EXPECT_EQ(FormatMoved(1000), "1.00 KB");
  EXPECT_EQ(FormatMoved(1'730'000'000), "1.73 GB");
  EXPECT_EQ(FormatMoved(17'300'000'000), "17.3 GB");
  EXPECT_EQ(FormatMoved(173'000'000'000), "173 GB");
  EXPECT_EQ(FormatMoved(UINT64_MAX), "18447 PB");
}

TEST(Figures, RoundingNeverMakesAFourthDigit) {
  EXPECT_EQ(FormatMoved(9'995), "10.0 KB");
  EXPECT_EQ(FormatMoved(99'950), "100 KB");
  EXPECT_EQ(FormatMoved(999'499), "999 KB");
  EXPECT_EQ(FormatMoved(999'500), "1.00 MB");
}

TEST(Figures, MemoryHasABinaryUnit) {
  EXPECT_EQ(FormatMemory(1023), "1023 B");
  EXPECT_EQ(FormatMemory(1024), "1.00 KiB");
  EXPECT_EQ(FormatMemory(uint64_t{613} << 20), "613 MiB");
  EXPECT_EQ(FormatMemory(uint64_t{2} << 30), "2.00 GiB");
}

TEST(Figures, LatencyIsShortAtEverySize) {
  EXPECT_EQ(FormatLatency(0), "0 us");
  EXPECT_EQ(FormatLatency(999), "999 us");
  EXPECT_EQ(FormatLatency(1520), "1.52 ms");
  EXPECT_EQ(FormatLatency(23'808), "23.8 ms");
  EXPECT_EQ(FormatLatency(2'500'000), "2.50 s");
}

TEST(Figures, AnAgeHasItsTwoLargestUnits) {
  EXPECT_EQ(FormatAge(absl::Milliseconds(4900)), "4 s");
  EXPECT_EQ(FormatAge(absl::Seconds(125)), "2 m 5 s");
  EXPECT_EQ(FormatAge(absl::Minutes(62)), "1 h 2 m");
  EXPECT_EQ(FormatAge(absl::Hours(51)), "2 d 3 h");
}

TEST(Figures, CountsAreGroupedByThree) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(288500), "288,500");
  EXPECT_EQ(FormatCount(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Figures, PercentsHaveOneDecimal) { EXPECT_EQ(FormatPercent(0.36642), "36.6 %"); }

TEST(Figures, OnlyReasonsThatOccurredAreNamed) {
  ReasonCounts counts{};
  EXPECT_EQ(ReasonsText(counts), "none");
  EXPECT_EQ(ReasonsJson(counts).dump(), "{}");
  CountOf(counts, wire::MissReason::kAbsent) = 182790;
  CountOf(counts, wire::MissReason::kDrive) = 3;
  EXPECT_EQ(ReasonsText(counts), "absent 182,790, drive 3");
  EXPECT_EQ(ReasonsJson(counts).dump(), R"({"absent":182790,"drive":3})");
  EXPECT_EQ(Sum(counts), 182793u);
}

TEST(Figures, LatencyHasItsMedianAndTails) {
  Histogram latency_us;
  for (int i = 0; i < 1000; ++i) latency_us.Record(100);
  EXPECT_EQ(LatencyText(latency_us.Snapshot()), "p50 100 us, p99 100 us, p99.9 100 us");
  EXPECT_EQ(LatencyJson(latency_us.Snapshot()).dump(),
            R"({"count":1000,"p50":100,"p99":100,"p99.9":100})");
}

}  // namespace
}  // namespace cairn
