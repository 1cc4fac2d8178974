#include "transport/sim/sim_scheduler.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(SimScheduler, RunsEventsInTheOrderOfTheirTimes) {
  SimScheduler scheduler(1);
  std::vector<int64_t> times;
  for (int64_t ms : {5, 1, 3}) {
    scheduler.After(absl::Milliseconds(ms), [&] { times.push_back(scheduler.Now().ns); });
  }
  scheduler.RunFor(absl::Seconds(1));
  EXPECT_EQ(times, (std::vector<int64_t>{1'000'000, 3'000'000, 5'000'000}));
  EXPECT_EQ(scheduler.Now().ns, 1'000'000'000);
}

TEST(SimScheduler, TheSeedOrdersEventsOfOneInstant) {
  auto order = [](uint64_t seed) {
    SimScheduler scheduler(seed);
    std::string result;
    for (char c = 'a'; c < 'i'; ++c) scheduler.At({1}, [&result, c] { result += c; });
    scheduler.RunFor(absl::Seconds(1));
    return result;
  };
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    EXPECT_EQ(order(seed), order(seed));
    orders.insert(order(seed));
  }
  EXPECT_GT(orders.size(), 4u);
}

TEST(SimScheduler, ATimeThatHasPassedMeansNow) {
  SimScheduler scheduler(1);
  scheduler.RunFor(absl::Seconds(1));
  bool ran = false;
  scheduler.At({5}, [&] { ran = true; });
  EXPECT_TRUE(scheduler.RunOne());
  EXPECT_TRUE(ran);
  EXPECT_EQ(scheduler.Now().ns, 1'000'000'000);
  EXPECT_FALSE(scheduler.RunOne());
}

TEST(SimScheduler, RunUntilTrueStopsAtTheEventOrAtTheLimit) {
  SimScheduler scheduler(1);
  bool first = false;
  bool second = false;
  scheduler.After(absl::Seconds(1), [&] { first = true; });
  scheduler.After(absl::Seconds(2), [&] { second = true; });
  EXPECT_TRUE(scheduler.RunUntilTrue([&] { return first; }, absl::Seconds(10)));
  EXPECT_EQ(scheduler.Now().ns, 1'000'000'000);
  EXPECT_FALSE(scheduler.RunUntilTrue([&] { return second; }, absl::Milliseconds(500)));
  EXPECT_EQ(scheduler.Now().ns, 1'500'000'000);
}

TEST(SimScheduler, ChanceComesOutAsOftenAsAsked) {
  SimScheduler scheduler(3);
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += scheduler.Chance(100'000);
  EXPECT_NEAR(hits, 10'000, 500);
  EXPECT_FALSE(scheduler.Chance(0));
}

TEST(SimTrace, EachFieldAndTheOrderChangeTheHash) {
  auto hash = [](std::vector<std::vector<uint64_t>> records) {
    SimTrace trace;
    for (const auto& r : records) {
      trace.Record({static_cast<int64_t>(r[0])}, r[1] ? "x" : "y", r[2], r[3], r[4]);
    }
    return trace.hash();
  };
  std::set<uint64_t> hashes = {hash({}),
                               hash({{0, 0, 0, 0, 0}}),
                               hash({{1, 0, 0, 0, 0}}),
                               hash({{0, 1, 0, 0, 0}}),
                               hash({{0, 0, 1, 0, 0}}),
                               hash({{0, 0, 0, 1, 0}}),
                               hash({{0, 0, 0, 0, 1}}),
                               hash({{0, 0, 0, 0, 1}, {1, 0, 0, 0, 0}}),
                               hash({{1, 0, 0, 0, 0}, {0, 0, 0, 0, 1}})};
  EXPECT_EQ(hashes.size(), 9u);
}

TEST(SimTrace, TheSinkSeesEachRecord) {
  SimTrace trace;
  std::vector<std::string> lines;
  trace.set_sink([&](const std::string& line) { lines.push_back(line); });
  trace.Record({7}, "land", 1, 2, 255);
  EXPECT_EQ(lines, std::vector<std::string>{"7 land 1 2 ff"});
  EXPECT_EQ(trace.count(), 1u);
}

}  // namespace
}  // namespace cairn
