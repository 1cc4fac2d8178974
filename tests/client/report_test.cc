// What a client tells its coordinator of how it went.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using testing::kBlock;
using testing::NumberedKey;
using wire::MissReason;

struct Reports : testing::ClientFixture {
  const v1::ReportClientRequest& Next() {
    const size_t before = reports.size();
    EXPECT_TRUE(Until([&] { return reports.size() > before; }));
    return reports.back();
  }
  uint64_t CountOf(const v1::ReportClientRequest& report, v1::Stage stage) {
    uint64_t count = 0;
    for (const v1::LatencySeries& series : report.latency()) {
      for (const uint64_t in_bucket : series.counts()) {
        count += series.stage() == stage ? in_bucket : 0;
      }
    }
    return count;
  }
};

TEST_F(Reports, TellWhatWasAskedForAndHowLongItTook) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  node.delivers = false;
  ASSERT_EQ(GetReason(2, absl::Milliseconds(100)), MissReason::kDeadline);
  const v1::ReportClientRequest& report = Next();
  EXPECT_EQ(report.token(), std::string(kTokenBytes, 't'));
  EXPECT_EQ(report.client_id().size(), sizeof(ClientId));
  EXPECT_EQ(report.namespace_id().size(), sizeof(NamespaceId));
  EXPECT_EQ(report.hits().requested_blocks(), 2u);
  EXPECT_EQ(report.hits().hit_blocks(), 1u);
  ASSERT_EQ(report.hits().misses_size(), 1);
  EXPECT_EQ(report.hits().misses(0).reason(), "deadline");
  EXPECT_EQ(report.hits().answered(), 2u);
  EXPECT_EQ(report.hits().late(), 0u);
  for (const v1::Stage stage : {v1::TOTAL, v1::LOOKUP, v1::VERIFY}) {
    EXPECT_EQ(CountOf(report, stage), 1u) << v1::Stage_Name(stage);
  }
}

TEST_F(Reports, TellTheUrgencyThatNodesAreTold) {
  options.urgency = wire::Urgency::kInteractive;
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  for (const v1::LatencySeries& series : Next().latency()) {
    EXPECT_EQ(series.urgency(), v1::INTERACTIVE) << series.DebugString();
  }
  EXPECT_EQ(node.fetches.at(0).urgency, wire::Urgency::kInteractive);
}

TEST_F(Reports, CountFromTheClientsBeginning) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  Next();
  ASSERT_EQ(GetReason(2), MissReason::kNone);
  EXPECT_EQ(Next().hits().hit_blocks(), 2u);
}

TEST_F(Reports, ComeAsOftenAsTheCoordinatorSays) {
  report_interval_ms = 2000;
  Start();
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(GetReason(i), MissReason::kNone);
    RunFor(absl::Milliseconds(200));
  }
  EXPECT_GE(reports.size(), 5u);
  EXPECT_LE(reports.size(), 6u) << "the first after 10 s, then every 2 s for 10 s";
}

TEST_F(Reports, AnIdleClientIsSilent) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  Next();
  RunFor(absl::Minutes(5));
  EXPECT_EQ(reports.size(), 1u);
}

TEST_F(Reports, AnOldCoordinatorIsAskedOncePerSession) {
  takes_reports = false;
  Start();
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(GetReason(i), MissReason::kNone);
    RunFor(absl::Seconds(1));
  }
  EXPECT_EQ(reports.size(), 1u);
}

TEST_F(Reports, ACoordinatorThatDoesNotAnswerDelaysNothing) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  world.SetCut("10.0.1.1", "10.0.3.1", true);
  for (int i = 0; i < 60; ++i) {
    done.clear();
    ASSERT_EQ(GetReason(1, absl::Milliseconds(50)), MissReason::kNone);
    RunFor(absl::Milliseconds(500));
  }
  world.SetCut("10.0.1.1", "10.0.3.1", false);
  ASSERT_TRUE(Until([&] { return !reports.empty() && reports.back().hits().hit_blocks() > 50; }));
}

TEST_F(Reports, TheLastOneIsSentWhenTheClientEnds) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  region.reset();
  client.reset();
  EXPECT_EQ(Next().hits().hit_blocks(), 1u);
}

TEST_F(Reports, WithoutTelemetryNothingIsTold) {
  options.telemetry = false;
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  RunFor(absl::Minutes(1));
  region.reset();
  client.reset();
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(reports.empty());
}

TEST_F(Reports, WhatEndsAfterItsDeadlineAndTheTimeOfAFenceIsLate) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  ASSERT_TRUE(Get(2, absl::Milliseconds(100)).ok());
  client_host.Stop();
  RunFor(absl::Seconds(1));
  client_host.Continue();
  ReasonOf(2);
  const v1::ReportClientRequest& report = Next();
  EXPECT_EQ(report.hits().answered(), 1u);
  EXPECT_EQ(report.hits().late(), 1u);
}

// This node does not answer it.
TEST_F(Reports, AMatchCountsItsWholeChain) {
  Start();
  const std::array<BlockKey, 3> chain = {NumberedKey(1), NumberedKey(2), NumberedKey(3)};
  ASSERT_TRUE(client->Match(chain, 77, In(absl::Seconds(1))).ok());
  ASSERT_EQ(ReasonOf(77), MissReason::kDeadline);
  const v1::ReportClientRequest& report = Next();
  EXPECT_EQ(report.hits().requested_blocks(), 3u);
  EXPECT_EQ(report.hits().hit_blocks(), 0u);
  ASSERT_EQ(report.hits().misses_size(), 1);
  EXPECT_EQ(report.hits().misses(0).reason(), "deadline");
  EXPECT_EQ(report.hits().misses(0).blocks(), 3u);
  EXPECT_EQ(report.hits().answered(), 1u);
}

}  // namespace
}  // namespace cairn
