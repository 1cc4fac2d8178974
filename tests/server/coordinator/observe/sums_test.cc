#include "server/coordinator/observe/sums.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/coordinator/observe/sample_observations.h"

namespace cairn {
namespace {

using testing::DramGets;
using testing::Gets;
using ::testing::HasSubstr;

std::string ErrorOf(const LatencyField& field) {
  return std::string(ParseSeries(field).status().message());
}

TEST(Sums, SeriesSurviveTheWire) {
  SeriesSums sums;
  sums[DramGets(1)] = Gets(3, 4);
  sums[DramGets(2)] = Gets(0, 0);
  SeriesKey batch = DramGets(1);
  batch.urgency = v1::BATCH;
  sums[batch] = Gets(7, 0);
  LatencyField field;
  FillSeries(sums, field);
  ASSERT_EQ(field.size(), 2) << "one without counts is not told";
  const SeriesSums back = ParseSeries(field).value();
  EXPECT_EQ(back.at(DramGets(1)).counts, Gets(3, 4).counts);
  EXPECT_EQ(back.at(DramGets(1)).sum_ns, Gets(3, 4).sum_ns);
  EXPECT_EQ(back.at(batch).counts, Gets(7, 0).counts);
}

TEST(Sums, ASeriesThatCannotBeIsRefusedByName) {
  LatencyField field;
  v1::LatencySeries& series = *field.Add();
  series.set_size_class(7);
  EXPECT_THAT(ErrorOf(field), HasSubstr("latency.size_class"));
  series.set_size_class(0);
  for (size_t i = 0; i <= kLatencyBuckets; ++i) series.add_counts(1);
  EXPECT_THAT(ErrorOf(field), HasSubstr("latency.counts"));
  series.clear_counts();
  series.set_transport(std::string(kLabelBytesMax + 1, 'x'));
  EXPECT_THAT(ErrorOf(field), HasSubstr("latency.transport"));
  series.clear_transport();
  series.set_stage(static_cast<v1::Stage>(99));
  EXPECT_THAT(ErrorOf(field), HasSubstr("latency.stage"));
  series.set_stage(v1::TOTAL);
  series.set_tier(static_cast<v1::BlockTier>(99));
  EXPECT_THAT(ErrorOf(field), HasSubstr("latency.tier"));
  series.set_tier(v1::DRAM_TIER);
  series.set_urgency(static_cast<v1::Urgency>(99));
  EXPECT_THAT(ErrorOf(field), HasSubstr("latency.urgency"));
  field.Clear();
  for (size_t i = 0; i <= kSeriesPerReportMax; ++i) field.Add();
  EXPECT_THAT(ErrorOf(field), HasSubstr("more than 1024 series"));
}

TEST(Sums, WhatCameSinceIsTheDifferenceOrAllOfANewBeginning) {
  EXPECT_EQ(Since(Gets(5, 4), Gets(3, 4)).counts, Gets(2, 0).counts);
  EXPECT_EQ(Since(Gets(1, 9), Gets(3, 4)).counts, Gets(1, 9).counts);
  HitSums before, now;
  before.requested_blocks = 10;
  before.misses["absent"] = {4, 64};
  now.requested_blocks = 15;
  now.misses["absent"] = {6, 96};
  now.misses["deadline"] = {1, 16};
  const HitSums more = now.Since(before);
  EXPECT_EQ(more.requested_blocks, 5u);
  EXPECT_EQ(more.misses.at("absent").blocks, 2u);
  EXPECT_EQ(more.misses.at("absent").tokens, 32u);
  EXPECT_EQ(more.misses.at("deadline").blocks, 1u);
}

TEST(Sums, TokensAreCountedFromTheNamespace) {
  v1::HitFigures figures;
  figures.set_requested_blocks(10);
  figures.set_hit_blocks(4);
  figures.set_requested_tokens(1);  // a client's word for it is not read
  v1::MissFigures& miss = *figures.add_misses();
  miss.set_reason("absent");
  miss.set_blocks(6);
  const HitSums sums = ParseHits(figures, 16).value();
  EXPECT_EQ(sums.requested_tokens, 160u);
  EXPECT_EQ(sums.hit_tokens, 64u);
  EXPECT_EQ(sums.misses.at("absent").tokens, 96u);
}

TEST(Sums, MissReasonsAreBounded) {
  v1::HitFigures figures;
  figures.add_misses()->set_reason(std::string(kLabelBytesMax + 1, 'x'));
  EXPECT_THAT(std::string(ParseHits(figures, 1).status().message()), HasSubstr("reason"));
  figures.clear_misses();
  for (size_t i = 0; i <= kMissReasonsMax; ++i) figures.add_misses();
  EXPECT_THAT(std::string(ParseHits(figures, 1).status().message()), HasSubstr("hits.misses"));
}

TEST(Sums, APointKeepsTotalsAndHits) {
  Observed observed = testing::NodeSaw(3, 4, 7);
  SeriesKey queue = DramGets();
  queue.stage = v1::QUEUE;
  observed.node[queue] = Gets(1, 1);
  observed.hits[7].answered = 5;
  v1::HistoryPoint point;
  FillPoint(observed, point);
  const Observed back = ParsePoint(point);
  EXPECT_EQ(back.node.size(), 1u);
  EXPECT_EQ(back.node.at(DramGets(7)).counts, Gets(3, 4).counts);
  EXPECT_EQ(back.hits.at(7).answered, 5u);
}

}  // namespace
}  // namespace cairn
