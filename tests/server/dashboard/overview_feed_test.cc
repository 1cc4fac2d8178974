#include "server/dashboard/overview_feed.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/server/dashboard/test_clock.h"

namespace cairn {
namespace {

constexpr absl::Duration kPatience = absl::Milliseconds(20);

struct OverviewFeedTest : ::testing::Test {
  TestClock clock;
  std::atomic<int> fetches{0};
  OverviewFeed feed{[this] { return ApiReply{200, std::to_string(++fetches)}; }, clock};
};

TEST_F(OverviewFeedTest, NobodyLooksAndNothingIsFetched) {
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(fetches, 0);
}

TEST_F(OverviewFeedTest, ManyWhoLookShareOneFetchAnInterval) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(feed.After(0, kPatience)->reply.json, "1");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(feed.Now().reply.json, "1");
  EXPECT_FALSE(feed.After(1, kPatience).has_value());
  clock.Advance(kOverviewInterval);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(feed.After(1, kPatience)->id, 2u);
  EXPECT_EQ(fetches, 2);
}

TEST_F(OverviewFeedTest, WhoComesBackWithAnOlderIdGetsTheNewestAtOnce) {
  feed.Now();
  EXPECT_EQ(feed.After(77, kPatience)->id, 1u);
}

TEST_F(OverviewFeedTest, ThreadsThatWaitTogetherFetchOnce) {
  for (uint64_t round = 0; round < 20; ++round) {
    std::vector<std::thread> watchers;
    watchers.reserve(8);
    for (int i = 0; i < 8; ++i) {
      watchers.emplace_back([&] {
        for (int tries = 0; tries < 500; ++tries) {
          const auto item = feed.After(round, kPatience);
          if (!item.has_value()) continue;
          EXPECT_EQ(item->id, round + 1);
          return;
        }
        ADD_FAILURE() << "nothing came";
      });
    }
    for (std::thread& watcher : watchers) watcher.join();
    EXPECT_EQ(fetches, static_cast<int>(round) + 1);
    clock.Advance(kOverviewInterval);
  }
}

}  // namespace

}  // namespace cairn
