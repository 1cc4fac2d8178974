#include "server/cli/replay/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

using testing::HasSubstr;

ReplaySummary Example() {
  Histogram latency_us;
  for (int i = 0; i < 1000; ++i) latency_us.Record(i < 990 ? 1000 : 64000);
  ReplaySummary summary;
  summary.requests = 12031;
  summary.lookups = 288500;
  summary.hits = 105710;
  summary.input_tokens = 1000;
  summary.hit_tokens = 250;
  summary.got_bytes = 1'000'000'000;
  summary.put_bytes = 3'000'000'000;
  summary.block_bytes = 16 << 10;
  summary.seconds = 8;
  summary.get_latency_us = latency_us.Snapshot();
  CountOf(summary.misses, wire::MissReason::kAbsent) = 182790;
  return summary;
}

TEST(ReplaySummary, TheJsonHasEveryFigure) {
  const auto json = nlohmann::json::parse(Example().ToJson());
  EXPECT_EQ(json["requests"], 12031);
  EXPECT_EQ(json["block_lookups"], 288500);
  EXPECT_NEAR(json["block_hit_ratio"].get<double>(), 0.3664, 0.0001);
  EXPECT_EQ(json["token_hit_ratio"], 0.25);
  EXPECT_EQ(json["bytes_moved"], 4'000'000'000);
  EXPECT_EQ(json["gigabytes_per_second"], 0.5);
  const auto& latency = json["get_latency_us"]["16KiB"];
  EXPECT_EQ(latency["count"], 1000);
  EXPECT_NEAR(latency["p50"].get<double>(), 1000, 20);
  EXPECT_NEAR(latency["p99.9"].get<double>(), 64000, 1280);
  EXPECT_EQ(json["misses"], nlohmann::json({{"absent", 182790}}));
  EXPECT_EQ(json["wrong_bytes"], 0);
  EXPECT_EQ(json["late_answers"], 0);
}

TEST(ReplaySummary, TheTextHasThemForPeople) {
  const std::string text = Example().ToText();
  EXPECT_THAT(text, HasSubstr("12,031 in 8.0 s (1504/s)"));
  EXPECT_THAT(text, HasSubstr("288,500 looked up, 105,710 hit: 36.64 % of blocks, 25.00 %"));
  EXPECT_THAT(text, HasSubstr("1.00 GB got, 3.00 GB put, 0.50 GB/s"));
  EXPECT_THAT(text, HasSubstr("absent 182,790\n"));
  EXPECT_THAT(text, HasSubstr("wrong bytes    0\n"));
}

TEST(ReplaySummary, OneWrongByteOrOneLateAnswerIsNotClean) {
  ReplaySummary summary = Example();
  EXPECT_TRUE(summary.clean());
  summary.wrong_bytes = 1;
  EXPECT_FALSE(summary.clean());
  summary.wrong_bytes = 0;
  summary.late_answers = 1;
  EXPECT_FALSE(summary.clean());
}

TEST(ReplaySummary, OfNothingDividesByNothing) {
  const ReplaySummary nothing;
  EXPECT_EQ(nothing.block_hit_ratio(), 0);
  EXPECT_EQ(nothing.token_hit_ratio(), 0);
  EXPECT_EQ(nothing.gigabytes_per_second(), 0);
  EXPECT_THAT(nothing.ToText(), HasSubstr("misses         none"));
}

}  // namespace
}  // namespace cairn
