#include "server/coordinator/observe/history.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "server/coordinator/observe/objective.h"
#include "tests/server/coordinator/observe/sample_observations.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kStart = 1'700'000'100;  // a multiple of 300

v1::HistoryPoint Point(int64_t unix_s, uint64_t gets) {
  v1::HistoryPoint point;
  point.set_unix_s(unix_s);
  point.set_used_bytes(static_cast<uint64_t>(unix_s));
  point.set_evicted_blocks(1);
  Observed observed = testing::NodeSaw(gets, 0);
  observed.hits[1].requested_tokens = gets;
  FillPoint(observed, point);
  return point;
}

struct HistoryTest : ::testing::Test {
  void Run(int64_t seconds) {
    for (const int64_t end = now + seconds; now < end;) {
      now += kFineStep_s;
      for (HistoryRow& row : history.Add(Point(now, 1))) {
        (row.step == HistoryStep::kFine ? fine : coarse).push_back(std::move(row));
      }
    }
  }
  absl::StatusOr<HistoryExcerpt> Excerpt(uint32_t points, int64_t from = 0, int64_t to = 0) {
    v1::GetHistoryRequest request;
    request.set_points_max(points);
    request.set_from_unix_s(from);
    request.set_to_unix_s(to);
    return history.Excerpt(request, now);
  }
  absl::StatusOr<v1::GetHistoryReply> Ask(uint32_t points, int64_t from = 0, int64_t to = 0) {
    CAIRN_ASSIGN_OR_RETURN(const HistoryExcerpt excerpt, Excerpt(points, from, to));
    return excerpt.Reply();
  }
  uint64_t CountIn(const v1::GetHistoryReply& reply) {
    uint64_t count = 0;
    for (const auto& point : reply.points()) {
      for (const auto& series : point.node_latency()) {
        for (const uint64_t n : series.counts()) count += n;
      }
    }
    return count;
  }

  History history;
  int64_t now = kStart;
  std::vector<HistoryRow> fine, coarse;
};

TEST_F(HistoryTest, APointIsKeptAtOnceACoarseOneEachFiveMinutes) {
  Run(290);
  EXPECT_EQ(fine.size(), 29u);
  EXPECT_TRUE(coarse.empty());
  Run(610);
  EXPECT_EQ(fine.size(), 90u);
  ASSERT_EQ(coarse.size(), 3u);
  v1::HistoryPoint point;
  ASSERT_TRUE(point.ParseFromString(coarse[1].point));
  EXPECT_EQ(point.evicted_blocks(), 30u);
  EXPECT_EQ(point.used_bytes(), static_cast<uint64_t>(coarse[1].unix_s)) << "as it was at its end";
  EXPECT_EQ(ParsePoint(point).node.at(testing::DramGets()).count(), 30u);
}

TEST_F(HistoryTest, CoarseStepsGoOnWhenPointsDoNotMeetTheirEnds) {
  now += 7;
  for (int i = 0; i < 120; ++i) {
    now += 11;
    for (HistoryRow& row : history.Add(Point(now, 1))) {
      if (row.step == HistoryStep::kCoarse) coarse.push_back(std::move(row));
    }
  }
  EXPECT_EQ(coarse.size(), 4u) << "of 1,320 s";
}

TEST_F(HistoryTest, NeighboursAreAddedUpAndNothingIsLost) {
  Run(3600);
  const v1::GetHistoryReply all = Ask(1000).value();
  EXPECT_EQ(all.step_s(), 10u);
  EXPECT_EQ(all.points_size(), 360);
  const v1::GetHistoryReply few = Ask(60).value();
  EXPECT_EQ(few.step_s(), 60u);
  EXPECT_LE(few.points_size(), 61);
  EXPECT_EQ(CountIn(all), 360u);
  EXPECT_EQ(CountIn(few), 360u);
}

TEST_F(HistoryTest, OnlyWhatWasAskedForIsTold) {
  Run(3600);
  const v1::GetHistoryReply reply = Ask(1000, kStart + 600, kStart + 1200).value();
  ASSERT_EQ(reply.points_size(), 60);
  EXPECT_EQ(reply.points(0).unix_s(), kStart + 610);
  EXPECT_EQ(reply.points(59).unix_s(), kStart + 1200);
}

TEST_F(HistoryTest, ADayIsKeptAndNoMore) {
  Run(25 * 3600);
  const v1::GetHistoryReply reply = Ask(1000).value();
  EXPECT_EQ(CountIn(reply), static_cast<uint64_t>(kFineSpan_s / kFineStep_s));
}

TEST_F(HistoryTest, AnExcerptStaysWhatItWasWhenItsPointsAreGone) {
  Run(3600);
  const HistoryExcerpt excerpt = Excerpt(60).value();
  const std::string reply = excerpt.Reply().SerializeAsString();
  Run(25 * 3600);
  EXPECT_EQ(excerpt.Reply().SerializeAsString(), reply);
}

TEST_F(HistoryTest, ARestartKnowsWhatItsLastLifeKnew) {
  Run(3600);
  History next;
  next.Load(fine, coarse);
  v1::GetHistoryRequest request;
  request.set_points_max(1000);
  EXPECT_EQ(next.Excerpt(request, now).value().Reply().SerializeAsString(),
            Ask(1000).value().SerializeAsString());
  EXPECT_EQ(next.newest_unix_s(), now);
}

TEST_F(HistoryTest, RowsThatAreNoPointsCostThemselvesAlone) {
  Run(600);
  fine[3].point = "\xff\xff damaged";
  History next;
  next.Load(fine, coarse);
  v1::GetHistoryRequest request;
  request.set_points_max(1000);
  EXPECT_EQ(next.Excerpt(request, now).value().Reply().points_size(), 59);
}

TEST_F(HistoryTest, MistakesNameTheField) {
  EXPECT_THAT(std::string(Ask(0).status().message()), HasSubstr("points_max"));
  EXPECT_THAT(std::string(Ask(1001).status().message()), HasSubstr("points_max"));
  EXPECT_THAT(std::string(Ask(1, 10, 5).status().message()), HasSubstr("from_unix_s"));
}

TEST_F(HistoryTest, WithoutHistoryTheAnswerIsEmpty) { EXPECT_EQ(Ask(10).value().points_size(), 0); }

}  // namespace
}  // namespace cairn
