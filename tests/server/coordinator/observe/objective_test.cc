#include "server/coordinator/observe/objective.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/coordinator/observe/sample_observations.h"

namespace cairn {
namespace {

using testing::FastGets;
using ::testing::HasSubstr;
using testing::NodeSaw;

constexpr int64_t kStart = 1'700'000'000;

std::string ErrorOf(const v1::Objective& objective) {
  return std::string(CheckObjective(objective).message());
}

// `seconds` of traffic in fine steps, and the coarse ones of it.
struct Traffic {
  CallHistory history;
  int64_t now = kStart;
  GoodCalls coarse;

  void Run(int64_t seconds, uint64_t good, uint64_t bad) {
    for (const int64_t end = now + seconds; now < end;) {
      now += kFineStep_s;
      history.AddFine({now, good, good + bad});
      coarse.good += good;
      coarse.total += good + bad;
      if (now % kCoarseStep_s != 0) continue;
      coarse.unix_s = now;
      history.AddCoarse(coarse);
      coarse = {};
    }
  }
  v1::ObjectiveState State() const { return Evaluate(FastGets(), history, now); }
};

TEST(Objective, MistakesNameFieldAndRemedy) {
  EXPECT_TRUE(CheckObjective(FastGets()).ok());
  v1::Objective wrong = FastGets();
  wrong.set_name("Fast!");
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.name: \"Fast!\" must be 1 to 63 of"));
  wrong = FastGets();
  wrong.set_target_ppm(1'000'000);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.target: 100 % must be 50 to 99.9999 %"));
  wrong = FastGets();
  wrong.set_window_s(31 * 24 * 3600);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.window"));
  wrong = FastGets();
  wrong.set_threshold_ns(1'500'000);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.threshold: 1.5ms must be an edge"));
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("1ms, 2ms, 5ms"));
  wrong = FastGets();
  wrong.set_size_class(7);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.size"));
  wrong = FastGets();
  wrong.set_urgency(static_cast<v1::Urgency>(9));
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.urgency: 9 must be interactive, standard"));
  wrong = FastGets();
  wrong.set_kind(static_cast<v1::Objective::Kind>(9));
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("objective.kind"));
}

TEST(Objective, AGetIsGoodUpToTheThresholdAndOnlyOfItsTierSizeAndTenant) {
  Observed observed = NodeSaw(10, 2, 1);
  observed.node[testing::DramGets(2)] = testing::Gets(100, 0);
  SeriesKey other = testing::DramGets(1);
  other.tier = v1::NVME_TIER;
  observed.node[other] = testing::Gets(1000, 0);
  other = testing::DramGets(1);
  other.size_class = 1;
  observed.node[other] = testing::Gets(1000, 0);
  other = testing::DramGets(1);
  other.stage = v1::QUEUE;
  observed.node[other] = testing::Gets(1000, 0);
  observed.client[testing::DramGets(1)] = testing::Gets(0, 1000);
  const GoodCalls one = Judge(FastGets(), TenantId{1}, observed, kStart);
  EXPECT_EQ(one.good, 10u);
  EXPECT_EQ(one.total, 12u);
  const GoodCalls all = Judge(FastGets(), std::nullopt, observed, kStart);
  EXPECT_EQ(all.good, 110u);
  EXPECT_EQ(all.total, 112u);
  v1::Objective any = FastGets();
  any.set_tier(v1::UNKNOWN_TIER);
  EXPECT_EQ(Judge(any, std::nullopt, observed, kStart).total, 1000u) << "as the clients see it";
}

TEST(Objective, OfAnUrgencyOnlyItsGetsCount) {
  Observed observed = NodeSaw(10, 2, 1);
  SeriesKey batch = testing::DramGets(1);
  batch.urgency = v1::BATCH;
  observed.node[batch] = testing::Gets(0, 1000);
  v1::Objective standard = FastGets();
  standard.set_urgency(v1::STANDARD);
  EXPECT_EQ(Judge(standard, std::nullopt, observed, kStart).total, 12u);
  EXPECT_EQ(Judge(FastGets(), std::nullopt, observed, kStart).total, 1012u) << "none named: all";
}

TEST(Objective, AnsweredCountsCallsByTheirDeadline) {
  v1::Objective answered;
  answered.set_kind(v1::Objective::ANSWERED);
  Observed observed;
  observed.hits[1].answered = 98;
  observed.hits[1].late = 2;
  observed.hits[2].answered = 50;
  EXPECT_EQ(Judge(answered, TenantId{1}, observed, kStart).good, 98u);
  EXPECT_EQ(Judge(answered, TenantId{1}, observed, kStart).total, 100u);
  EXPECT_EQ(Judge(answered, std::nullopt, observed, kStart).total, 150u);
}

TEST(Objective, WithoutTrafficNothingIsSpent) {
  const v1::ObjectiveState state = Traffic().State();
  EXPECT_EQ(state.verdict(), "no_traffic");
  EXPECT_EQ(state.budget_left(), 1);
  EXPECT_EQ(state.exhausted_in_s(), -1);
}

TEST(Objective, GoodTrafficKeepsItsBudget) {
  Traffic traffic;
  traffic.Run(3600, 1000, 0);
  const v1::ObjectiveState state = traffic.State();
  EXPECT_EQ(state.verdict(), "ok");
  EXPECT_EQ(state.total(), 360'000u);
  EXPECT_EQ(state.attainment(), 1);
  EXPECT_EQ(state.history_s(), 3600);
}

// Google's SRE Workbook, chapter 5, table 5-2.
TEST(Objective, FastBurnFiresWithinAnHourAndClearsByItsShortWindow) {
  Traffic traffic;
  traffic.Run(24 * 3600, 1000, 0);
  traffic.Run(600, 980, 20);  // 20 times what the budget allows
  EXPECT_FALSE(traffic.State().burns(0).firing()) << "ten minutes of it are 3.3 over an hour";
  traffic.Run(2400, 980, 20);
  v1::ObjectiveState state = traffic.State();
  EXPECT_TRUE(state.burns(0).firing()) << state.burns(0).ShortDebugString();
  EXPECT_NEAR(state.burns(0).long_rate(), 20.0 * 50 / 60, 0.1);
  EXPECT_EQ(state.verdict(), "burning");
  traffic.Run(310, 1000, 0);
  state = traffic.State();
  EXPECT_FALSE(state.burns(0).firing()) << "over for five minutes";
  EXPECT_GT(state.burns(0).long_rate(), 14.4) << "though the hour still looks bad";
}

TEST(Objective, SlowBurnsFireInTheirLongerWindows) {
  Traffic traffic;
  traffic.Run(4 * 24 * 3600, 1000, 0);
  traffic.Run(6 * 3600, 993, 7);
  v1::ObjectiveState state = traffic.State();
  EXPECT_FALSE(state.burns(0).firing());
  EXPECT_TRUE(state.burns(1).firing()) << state.burns(1).ShortDebugString();
  EXPECT_EQ(state.burns(1).severity(), "page");
  Traffic leak;
  leak.Run(4 * 24 * 3600, 9985, 15);
  state = leak.State();
  EXPECT_FALSE(state.burns(1).firing());
  EXPECT_TRUE(state.burns(2).firing()) << state.burns(2).ShortDebugString();
  EXPECT_EQ(state.burns(2).severity(), "ticket");
}

TEST(Objective, AQuietNightsFewMissesCallNobody) {
  Traffic traffic;
  traffic.Run(3600, 0, 0);
  traffic.history.AddFine({traffic.now += kFineStep_s, 46, 50});  // 8 % bad, but 50 calls
  EXPECT_FALSE(traffic.State().burns(0).firing());
  traffic.history.AddFine({traffic.now += kFineStep_s, 96, 100});  // 5.3 % of 150, 8 bad ones
  EXPECT_TRUE(traffic.State().burns(0).firing());
}

TEST(Objective, ASpentBudgetIsExhaustedAndTellsWhenItWillBe) {
  Traffic traffic;
  traffic.Run(3600, 99'995, 5);  // half of what is allowed
  v1::ObjectiveState state = traffic.State();
  EXPECT_NEAR(state.budget_left(), 0.95, 1e-6);
  EXPECT_EQ(state.verdict(), "ok");
  EXPECT_NEAR(static_cast<double>(state.exhausted_in_s()), 0.95 * 30 * 24 * 3600 / 0.05, 10);
  traffic.Run(3600, 99'000, 1000);
  state = traffic.State();
  EXPECT_LT(state.budget_left(), 0);
  EXPECT_EQ(state.exhausted_in_s(), 0);
  EXPECT_EQ(state.verdict(), "exhausted");
}

TEST(Objective, AMonthIsCountedOnce) {
  Traffic traffic;
  traffic.Run(40 * 24 * 3600, 10, 0);
  constexpr double kMonth = 30.0 * 24 * 3600 / kFineStep_s * 10;
  EXPECT_NEAR(static_cast<double>(traffic.State().total()), kMonth,
              10.0 * kCoarseStep_s / kFineStep_s)
      << "but for the coarse step that the window begins in";
}

}  // namespace
}  // namespace cairn
