#include "server/cli/bench/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

using testing::HasSubstr;

BenchSummary Example(uint64_t latency_us) {
  Histogram latencies_us;
  for (int i = 0; i < 100; ++i) latencies_us.Record(latency_us);
  BenchSummary summary;
  summary.block_bytes = 1'000'000;
  summary.seconds = 2;
  summary.got_blocks = 3000;
  summary.put_blocks = 1000;
  summary.get_latency_us = latencies_us.Snapshot();
  CountOf(summary.misses, wire::MissReason::kAbsent) = 5;
  CountOf(summary.put_failures, wire::MissReason::kCapacity) = 7;
  return summary;
}

TEST(BenchSummary, TheJsonHasEveryFigure) {
  const auto json = nlohmann::json::parse(Example(500).ToJson());
  EXPECT_EQ(json["blocks_got"], 3000);
  EXPECT_EQ(json["blocks_put"], 1000);
  EXPECT_EQ(json["bytes_moved"], 4'000'000'000);
  EXPECT_EQ(json["blocks_per_second"], 2000);
  EXPECT_EQ(json["gigabytes_per_second"], 2);
  EXPECT_NEAR(json["get_latency_us"]["p99.9"].get<double>(), 500, 10);
  EXPECT_EQ(json["misses"], nlohmann::json({{"absent", 5}}));
  EXPECT_EQ(json["put_failures"], nlohmann::json({{"capacity", 7}}));
  EXPECT_EQ(json["wrong_bytes"], 0);
}

TEST(BenchSummary, TheTextHasThemForPeople) {
  const std::string text = Example(500).ToText();
  EXPECT_THAT(text, HasSubstr("4.00 GB in 2.0 s: 2.00 GB/s, 2,000 blocks/s"));
  EXPECT_THAT(text, testing::ContainsRegex("gets +3,000 blocks of 1000000B: p50 [0-9]+ us"));
  EXPECT_THAT(text, HasSubstr("misses         absent 5\n"));
  EXPECT_THAT(text, HasSubstr("failed puts    capacity 7\n"));
}

TEST(BenchSummary, ClientsSideBySideAddUpOverTheLongestTime) {
  BenchSummary sum;
  sum.block_bytes = 1'000'000;
  BenchSummary slower = Example(900);
  slower.seconds = 4;
  slower.wrong_bytes = 2;
  sum.Merge(Example(500));
  sum.Merge(slower);
  EXPECT_EQ(sum.blocks(), 8000u);
  EXPECT_EQ(sum.seconds, 4);
  EXPECT_EQ(sum.wrong_bytes, 2u);
  EXPECT_EQ(Sum(sum.misses), 10u);
  EXPECT_EQ(Sum(sum.put_failures), 14u);
  EXPECT_EQ(sum.get_latency_us.count(), 200u);
  EXPECT_NEAR(static_cast<double>(sum.get_latency_us.Quantile(0.99)), 900, 18);
}

TEST(BenchSummary, IsGoodWhenSomethingMovedAndNothingWasWrong) {
  BenchSummary summary = Example(500);
  EXPECT_TRUE(summary.good());
  summary.wrong_bytes = 1;
  EXPECT_FALSE(summary.good());
  EXPECT_FALSE(BenchSummary().good());
}

}  // namespace
}  // namespace cairn
