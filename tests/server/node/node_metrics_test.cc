#include "server/node/node_metrics.h"

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

// What the text says, after every line was found to be well-formed: Prometheus text format 0.0.4.
struct Exposition {
  std::map<std::string, std::string> types;  // by family
  std::map<std::string, double> samples;     // by name and labels
};

std::string FamilyOf(const std::string& sample, const Exposition& exposition) {
  std::string name = sample.substr(0, sample.find('{'));
  for (const char* suffix : {"_bucket", "_sum", "_count"}) {
    const size_t at = name.rfind(suffix);
    if (at == std::string::npos || at + std::string(suffix).size() != name.size()) continue;
    if (exposition.types.contains(name.substr(0, at))) return name.substr(0, at);
  }
  return name;
}

Exposition Parse(const std::string& text) {
  static const std::regex help(R"(# HELP ([a-z_]+) .*[^ ])");
  static const std::regex type(R"(# TYPE ([a-z_]+) (gauge|counter|histogram))");
  static const std::regex sample(
      R"(([a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})?) ([-+0-9.e]+))");
  Exposition exposition;
  std::set<std::string> helped;
  std::set<std::string> closed;  // families whose lines have ended
  std::string current;
  std::stringstream lines(text);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, help)) {
      EXPECT_TRUE(helped.insert(match[1]).second) << line;
    } else if (std::regex_match(line, match, type)) {
      EXPECT_TRUE(exposition.types.emplace(match[1], match[2]).second) << line;
      EXPECT_TRUE(helped.contains(match[1])) << line;
      EXPECT_TRUE(closed.insert(current).second || current.empty()) << line;
      current = match[1];
    } else if (std::regex_match(line, match, sample)) {
      EXPECT_EQ(FamilyOf(match[1], exposition), current) << line;
      EXPECT_TRUE(exposition.samples.emplace(match[1], std::stod(match[4])).second) << line;
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  EXPECT_EQ(helped.size(), exposition.types.size());
  return exposition;
}

struct NodeMetrics : ::testing::Test {
  NodeMetrics() {
    for (int i = 0; i < 2; ++i) reactors.push_back(std::make_unique<ReactorChannel>());
  }
  std::string Text(bool ready = true) const {
    return NodeMetricsText({{&shards[0], &reuse[0]}, {&shards[1], &reuse[1]}}, {&drive}, reactors,
                           "tcp", ready);
  }

  // By a tenant of its own reactor, so that tenants are added up, too.
  void Get(size_t reactor, uint64_t bytes, int64_t ns) {
    const GetTimes times{{}, {}, {}, {ns}};
    reactors[reactor]->latencies.Record(static_cast<TenantId>(reactor + 1), v1::DRAM_TIER,
                                        v1::STANDARD, bytes, times);
  }

  ShardCounters shards[2];
  ReuseFigures reuse[2];
  FlashCounters drive;
  std::vector<std::unique_ptr<ReactorChannel>> reactors;
};

TEST_F(NodeMetrics, EveryLineIsPrometheusTextAndEveryFamilyIsTypedOnce) {
  for (const int64_t ns : {1ll, 999ll, 123456789ll, 60'000'000'000ll}) Get(0, 64 << 10, ns);
  const std::string text = Text();
  EXPECT_EQ(text.back(), '\n');
  const Exposition exposition = Parse(text);
  EXPECT_GT(exposition.types.size(), 20u);
  for (const auto& [family, type] : exposition.types) {
    EXPECT_EQ(family.rfind("cairn_", 0), 0u) << family;
    const bool total = family.size() > 6 && family.substr(family.size() - 6) == "_total";
    EXPECT_EQ(type == "counter", total) << family;
  }
  for (const auto& [name, value] : exposition.samples) EXPECT_TRUE(std::isfinite(value)) << name;
}

TEST_F(NodeMetrics, AnIdleNodesTextIsWellFormedToo) {
  const Exposition exposition = Parse(Text());
  EXPECT_EQ(exposition.types.at("cairn_get_seconds"), "histogram");
}

TEST_F(NodeMetrics, FiguresAreSummedOverTheReactors) {
  shards[0].blocks.Add(3);
  shards[1].blocks.Add(4);
  reactors[0]->counters.gets.Add(10);
  reactors[1]->counters.gets.Add(20);
  const Exposition exposition = Parse(Text());
  EXPECT_EQ(exposition.samples.at("cairn_blocks"), 7);
  EXPECT_EQ(exposition.samples.at("cairn_get_blocks_total"), 30);
}

TEST_F(NodeMetrics, WhatOtherSizesOfMemoryWouldHaveGivenIsToldBySize) {
  for (ReuseFigures& figures : reuse) {
    figures.references.Add(100);
    figures.hits_half.Add(10);
    figures.hits_same.Add(20);
    figures.hits_twice.Add(40);
  }
  const Exposition exposition = Parse(Text());
  EXPECT_EQ(exposition.samples.at("cairn_reuse_blocks_total"), 200);
  EXPECT_EQ(exposition.samples.at("cairn_reuse_hit_blocks_total{memory=\"half\"}"), 20);
  EXPECT_EQ(exposition.samples.at("cairn_reuse_hit_blocks_total{memory=\"same\"}"), 40);
  EXPECT_EQ(exposition.samples.at("cairn_reuse_hit_blocks_total{memory=\"twice\"}"), 80);
}

TEST_F(NodeMetrics, EveryReasonOfARefusalHasASampleButNone) {
  reactors[0]->counters.refusals[static_cast<size_t>(wire::MissReason::kAbsent)].Add(2);
  reactors[1]->counters.refusals[static_cast<size_t>(wire::MissReason::kAbsent)].Add(5);
  const Exposition exposition = Parse(Text());
  size_t reasons = 0;
  for (const auto& [name, value] : exposition.samples) {
    if (name.rfind("cairn_refused_blocks_total{", 0) == 0) ++reasons;
  }
  EXPECT_EQ(reasons, static_cast<size_t>(wire::MissReason::kMax));
  EXPECT_EQ(exposition.samples.at("cairn_refused_blocks_total{reason=\"absent\"}"), 7);
}

TEST_F(NodeMetrics, TheWriteBudgetIsToldWithItsShareAsAPart) {
  drive.admitted_bytes.Add(7);
  drive.rejected_blocks.Add(3);
  drive.write_budget_bytes.Set(1000);
  drive.write_budget_left_bytes.Set(400);
  drive.admitted_share_ppm.Set(250'000);
  const Exposition exposition = Parse(Text());
  EXPECT_EQ(exposition.samples.at("cairn_nvme_admitted_bytes_total"), 7);
  EXPECT_EQ(exposition.samples.at("cairn_nvme_rejected_blocks_total"), 3);
  EXPECT_EQ(exposition.samples.at("cairn_nvme_write_budget_bytes"), 1000);
  EXPECT_EQ(exposition.samples.at("cairn_nvme_write_budget_left_bytes"), 400);
  EXPECT_EQ(exposition.samples.at("cairn_nvme_admitted_share"), 0.25);
}

TEST_F(NodeMetrics, ReadinessIsOneOrZero) {
  EXPECT_EQ(Parse(Text(true)).samples.at("cairn_node_ready"), 1);
  EXPECT_EQ(Parse(Text(false)).samples.at("cairn_node_ready"), 0);
}

TEST_F(NodeMetrics, LatencyIsToldInSeconds) {
  for (int i = 0; i < 100; ++i) Get(i % 2, 64 << 10, 2'000'000);
  const Exposition exposition = Parse(Text());
  const auto figure = [&](const char* suffix, const char* more) {
    return exposition.samples.at(absl::StrCat("cairn_get_seconds", suffix,
                                              "{stage=\"total\",tier=\"dram\",size_class=\"64KiB\","
                                              "urgency=\"standard\",transport=\"tcp\"",
                                              more, "}"));
  };
  EXPECT_EQ(figure("_bucket", ",le=\"0.001\""), 0);
  EXPECT_EQ(figure("_bucket", ",le=\"0.002\""), 100) << "an edge belongs to its bucket";
  EXPECT_EQ(figure("_bucket", ",le=\"30.0\""), 100);
  EXPECT_EQ(figure("_bucket", ",le=\"+Inf\""), 100);
  EXPECT_EQ(figure("_sum", ""), 0.2);
  EXPECT_EQ(figure("_count", ""), 100);
}

}  // namespace
}  // namespace cairn
