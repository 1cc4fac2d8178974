#include "client/client_figures.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using wire::MissReason;

struct ClientFiguresTest : ::testing::Test {
  const v1::HitFigures& Hits() {
    report.Clear();
    figures.Fill("tcp", v1::STANDARD, report);
    return report.hits();
  }
  std::map<std::string, uint64_t> Misses() {
    std::map<std::string, uint64_t> misses;
    for (const v1::MissFigures& miss : Hits().misses()) misses[miss.reason()] = miss.blocks();
    return misses;
  }
  // None was told before.
  void ExpectHits(uint64_t requested, uint64_t hits) {
    EXPECT_EQ(Hits().requested_blocks(), requested);
    EXPECT_EQ(Hits().hit_blocks(), hits);
  }

  ClientFigures figures;
  v1::ReportClientRequest report;
};

TEST_F(ClientFiguresTest, ALeaselessGetIsAHitOrAMissWithItsReason) {
  figures.CountGet(false, MissReason::kNone);
  figures.CountGet(false, MissReason::kAbsent);
  figures.CountGet(false, MissReason::kAbsent);
  figures.CountGet(false, MissReason::kChecksum);
  ExpectHits(4, 1);
  EXPECT_THAT(Misses(), ElementsAre(Pair("absent", 2), Pair("checksum", 1)));
}

TEST_F(ClientFiguresTest, AMatchHitsWhatIsHeldAndMissesTheRestForOneReason) {
  figures.CountMatch(10, 7, MissReason::kNodeDown);
  figures.CountMatch(4, 4, MissReason::kNone);
  ExpectHits(14, 11);
  EXPECT_THAT(Misses(), ElementsAre(Pair("node_down", 3)));
}

TEST_F(ClientFiguresTest, AGetUnderALeaseIsNoRequestOfItsOwn) {
  figures.CountMatch(2, 2, MissReason::kNone);
  figures.CountGet(true, MissReason::kNone);
  ExpectHits(2, 2);
}

TEST_F(ClientFiguresTest, AFailedGetUnderALeaseTakesItsHitBack) {
  figures.CountMatch(3, 3, MissReason::kNone);
  figures.CountGet(true, MissReason::kDeadline);
  ExpectHits(3, 2);
  EXPECT_THAT(Misses(), ElementsAre(Pair("deadline", 1)));
}

TEST_F(ClientFiguresTest, NoMoreHitsAreTakenBackThanThereAre) {
  figures.CountMatch(1, 1, MissReason::kNone);
  for (int i = 0; i < 3; ++i) figures.CountGet(true, MissReason::kDeadline);
  ExpectHits(1, 0);
  EXPECT_THAT(Misses(), ElementsAre(Pair("deadline", 1)));
}

TEST_F(ClientFiguresTest, HitsThatWereToldNeverFall) {
  figures.CountMatch(5, 5, MissReason::kNone);
  EXPECT_EQ(Hits().hit_blocks(), 5u);
  figures.CountGet(true, MissReason::kDeadline);
  EXPECT_EQ(Hits().hit_blocks(), 5u);
  figures.CountGet(false, MissReason::kNone);
  EXPECT_EQ(Hits().hit_blocks(), 5u);
  figures.CountGet(false, MissReason::kNone);
  EXPECT_EQ(Hits().hit_blocks(), 6u);
}

TEST_F(ClientFiguresTest, WhatEndedIsInTimeOrLate) {
  figures.CountEnd(false);
  figures.CountEnd(false);
  figures.CountEnd(true);
  EXPECT_EQ(Hits().answered(), 2u);
  EXPECT_EQ(Hits().late(), 1u);
  EXPECT_EQ(figures.ended(), 3u);
}

TEST_F(ClientFiguresTest, AGetIsToldByItsStagesAndSize) {
  figures.RecordGet(1 << 20, {{1000}, {1400}, {9000}, {9500}, {9900}});
  figures.Fill("tcp", v1::STANDARD, report);
  ASSERT_EQ(report.latency_size(), 3);
  std::map<v1::Stage, uint64_t> sums;
  for (const v1::LatencySeries& series : report.latency()) {
    EXPECT_EQ(series.tier(), v1::UNKNOWN_TIER);
    EXPECT_EQ(series.size_class(), 3u);
    EXPECT_EQ(series.transport(), "tcp");
    EXPECT_THAT(series.counts(), ElementsAre(1));
    sums[series.stage()] = series.sum_ns();
  }
  EXPECT_THAT(sums,
              ElementsAre(Pair(v1::TOTAL, 8900), Pair(v1::LOOKUP, 400), Pair(v1::VERIFY, 500)));
}

}  // namespace
}  // namespace cairn
