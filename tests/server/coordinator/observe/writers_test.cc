#include "server/coordinator/observe/writers.h"

#include <gtest/gtest.h>

#include "tests/server/coordinator/observe/sample_observations.h"
#include "tests/server/coordinator/sample_requests.h"

namespace cairn {
namespace {

using testing::DramGets;
using testing::Gets;
using testing::MakeId;

v1::HeartbeatRequest Beat(uint64_t incarnation, uint64_t fast) {
  v1::HeartbeatRequest report;
  report.set_incarnation(incarnation);
  FillSeries({{DramGets(), Gets(fast, 0)}}, *report.mutable_latency());
  return report;
}

v1::ReportClientRequest Report(uint64_t fast, uint64_t requested) {
  v1::ReportClientRequest report;
  FillSeries({{DramGets(99), Gets(fast, 0)}}, *report.mutable_latency());
  report.mutable_hits()->set_requested_blocks(requested);
  return report;
}

uint64_t Count(const SeriesSums& sums) {
  uint64_t count = 0;
  for (const auto& [key, sum] : sums) count += sum.count();
  return count;
}

TEST(Writers, EachGetIsCountedOnceHoweverOftenItIsReported) {
  Writers writers;
  ASSERT_TRUE(writers.TakeNode(0, Beat(1, 3)).ok());
  ASSERT_TRUE(writers.TakeNode(0, Beat(1, 3)).ok());
  ASSERT_TRUE(writers.TakeNode(0, Beat(1, 5)).ok());
  EXPECT_EQ(Count(writers.Take().node), 5u);
  ASSERT_TRUE(writers.TakeNode(0, Beat(1, 5)).ok());
  EXPECT_EQ(Count(writers.Take().node), 0u);
}

TEST(Writers, ANewIncarnationCountsFromNothing) {
  Writers writers;
  ASSERT_TRUE(writers.TakeNode(0, Beat(1, 100)).ok());
  ASSERT_TRUE(writers.TakeNode(0, Beat(2, 100)).ok());
  EXPECT_EQ(Count(writers.Take().node), 200u);
}

TEST(Writers, NodesAndClientsAreApart) {
  Writers writers;
  ASSERT_TRUE(writers.TakeNode(0, Beat(1, 2)).ok());
  ASSERT_TRUE(writers.TakeNode(1, Beat(1, 3)).ok());
  ASSERT_TRUE(writers.TakeClient(1, MakeId<ClientId>(1), 16, Report(5, 10), {}).ok());
  ASSERT_TRUE(writers.TakeClient(1, MakeId<ClientId>(2), 16, Report(7, 10), {}).ok());
  ASSERT_TRUE(writers.TakeClient(1, MakeId<ClientId>(2), 16, Report(8, 11), {}).ok());
  const Observed all = writers.Take();
  EXPECT_EQ(Count(all.node), 5u);
  EXPECT_EQ(Count(all.client), 13u);
  EXPECT_EQ(all.hits.at(1).requested_blocks, 21u);
  EXPECT_EQ(all.hits.at(1).requested_tokens, 21u * 16);
}

TEST(Writers, AClientCannotSpeakForAnotherTenant) {
  Writers writers;
  ASSERT_TRUE(writers.TakeClient(5, MakeId<ClientId>(1), 16, Report(1, 1), {}).ok());
  const Observed all = writers.Take();
  ASSERT_EQ(all.client.size(), 1u);
  EXPECT_EQ(all.client.begin()->first.tenant, 5u);
}

TEST(Writers, ABadReportLeavesNothing) {
  Writers writers;
  v1::ReportClientRequest report = Report(1, 1);
  report.mutable_latency(0)->set_size_class(1000);
  EXPECT_FALSE(writers.TakeClient(5, MakeId<ClientId>(1), 16, report, {}).ok());
  EXPECT_TRUE(writers.Take().hits.empty());
}

TEST(Writers, ClientsAreBoundedAndWhatTheySaidStaysCounted) {
  Writers writers;
  for (uint64_t i = 0; i < Writers::kClientsMax + 10; ++i) {
    ASSERT_TRUE(
        writers.TakeClient(1, MakeId<ClientId>(i), 16, Report(1, 0), {static_cast<int64_t>(i)})
            .ok());
  }
  EXPECT_EQ(Count(writers.Take().client), Writers::kClientsMax + 10);
  // The first was forgotten, so that it counts again; the last was not.
  const auto last = static_cast<uint64_t>(Writers::kClientsMax + 9);
  ASSERT_TRUE(writers.TakeClient(1, MakeId<ClientId>(last), 16, Report(1, 0), {1 << 20}).ok());
  EXPECT_EQ(Count(writers.Take().client), 0u);
}

TEST(Writers, SeriesOfOneStretchAreBounded) {
  Writers writers;
  for (TenantId tenant = 1; tenant <= Writers::kSeriesMax + 50; ++tenant) {
    ASSERT_TRUE(writers.TakeClient(tenant, MakeId<ClientId>(1), 16, Report(1, 0), {}).ok());
  }
  const Observed all = writers.Take();
  EXPECT_EQ(all.client.size(), Writers::kSeriesMax + 1);
  EXPECT_EQ(Count(all.client), Writers::kSeriesMax + 50);
}

}  // namespace
}  // namespace cairn
