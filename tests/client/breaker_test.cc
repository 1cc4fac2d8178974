// A node that cannot be reached: how often it is tried, and when no more.
#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using wire::MissReason;

struct Breaker : testing::ClientFixture {
  Breaker() { options.breaker_failures = 5; }

  // Gets, one after the other, until one ends without a failed connection.
  MissReason FailUntilItChanges(uint64_t& number) {
    MissReason reason;
    do {
      reason = GetReason(number++);
    } while (reason == MissReason::kNodeDown);
    return reason;
  }
};

TEST_F(Breaker, OpensAfterSoManyFailuresInARowAndThenAnswersAtOnce) {
  node.hangs_up = true;
  Start();
  uint64_t number = 1;
  EXPECT_EQ(FailUntilItChanges(number), MissReason::kCircuitOpen);
  EXPECT_EQ(number, 1 + options.breaker_failures + 1);
  const size_t attempts = node.connected.size();
  const Instant before = world.scheduler().Now();
  EXPECT_EQ(GetReason(number), MissReason::kCircuitOpen);
  EXPECT_EQ(done.at(number).code, absl::StatusCode::kUnavailable);
  EXPECT_LT(world.scheduler().Now() - before, absl::Milliseconds(5));
  EXPECT_EQ(node.connected.size(), attempts);
}

TEST_F(Breaker, PutsAreRefusedToo) {
  node.hangs_up = true;
  Start();
  uint64_t number = 1;
  ASSERT_EQ(FailUntilItChanges(number), MissReason::kCircuitOpen);
  ASSERT_TRUE(Put(number).ok());
  EXPECT_EQ(ReasonOf(number), MissReason::kCircuitOpen);
}

TEST_F(Breaker, AMatchSaysWhy) {
  node.hangs_up = true;
  Start();
  uint64_t number = 1;
  ASSERT_EQ(FailUntilItChanges(number), MissReason::kCircuitOpen);
  const std::vector<BlockKey> chain = {testing::NumberedKey(1)};
  ASSERT_TRUE(client->Match(chain, 500, In(absl::Seconds(1))).ok());
  EXPECT_EQ(ReasonOf(500), MissReason::kCircuitOpen);
  EXPECT_EQ(done.at(500).blocks, 0u);
}

TEST_F(Breaker, IsTriedAgainAfterItsTimeAndClosesWhenThatWorks) {
  node.hangs_up = true;
  Start();
  uint64_t number = 1;
  ASSERT_EQ(FailUntilItChanges(number), MissReason::kCircuitOpen);
  node.hangs_up = false;
  EXPECT_EQ(GetReason(number++), MissReason::kCircuitOpen) << "its time is not over";
  RunFor(options.breaker_open * 3 / 2);
  EXPECT_EQ(GetReason(number++), MissReason::kNone);
  EXPECT_EQ(GetReason(number++), MissReason::kNone);
}

TEST_F(Breaker, ATrialThatFailsOpensItAgain) {
  node.hangs_up = true;
  Start();
  uint64_t number = 1;
  ASSERT_EQ(FailUntilItChanges(number), MissReason::kCircuitOpen);
  for (int round = 0; round < 3; ++round) {
    RunFor(std::max(options.breaker_open, options.backoff_max) * 3 / 2);
    EXPECT_EQ(GetReason(number++), MissReason::kNodeDown) << "the trial";
    EXPECT_EQ(GetReason(number++), MissReason::kCircuitOpen);
  }
}

TEST_F(Breaker, OneSuccessForgetsTheFailuresBefore) {
  Start();
  uint64_t number = 1;
  for (int round = 0; round < 4; ++round) {
    node.hangs_up = true;
    node.HangUp();
    RunFor(absl::Milliseconds(10));
    for (int failure = 0; failure < 3; ++failure) {
      ASSERT_EQ(GetReason(number++), MissReason::kNodeDown) << round;
    }
    node.hangs_up = false;
    ASSERT_EQ(GetReason(number++), MissReason::kNone) << round;
  }
}

// Times between attempts to connect, while something always wants to go there.
struct Backoff : ::testing::TestWithParam<uint64_t> {};

std::vector<absl::Duration> GapsBetweenAttempts(uint64_t seed) {
  struct Rig : testing::ClientFixture {
    using ClientFixture::ClientFixture;
    void TestBody() override {}
  } rig(seed);
  rig.options.backoff_min = absl::Milliseconds(50);
  rig.options.backoff_max = absl::Milliseconds(400);
  rig.node.hangs_up = true;
  rig.Start();
  for (uint64_t number = 1; number <= 9; ++number) {
    EXPECT_EQ(rig.GetReason(number), MissReason::kNodeDown);
  }
  std::vector<absl::Duration> gaps;
  Instant last = rig.node.connected.front();
  for (const Instant at : rig.node.connected) {
    if (at - last > absl::Milliseconds(5)) gaps.push_back(at - last);
    last = at;
  }
  return gaps;
}

TEST_P(Backoff, DoublesWithJitterUpToItsMaximum) {
  const std::vector<absl::Duration> gaps = GapsBetweenAttempts(GetParam());
  const int64_t waits_ms[] = {50, 100, 200, 400, 400, 400, 400};
  ASSERT_EQ(gaps.size(), std::size(waits_ms));
  for (size_t i = 0; i < gaps.size(); ++i) {
    EXPECT_GE(gaps[i], absl::Milliseconds(waits_ms[i])) << i;
    EXPECT_LE(gaps[i], absl::Milliseconds(waits_ms[i] * 3 / 2 + 5)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Backoff, ::testing::Range<uint64_t>(1, 6));

TEST(BackoffJitter, ClientsDoNotComeBackTogether) {
  std::set<absl::Duration> first;
  for (uint64_t seed = 1; seed <= 8; ++seed) first.insert(GapsBetweenAttempts(seed).front());
  EXPECT_GT(*first.rbegin() - *first.begin(), absl::Milliseconds(5));
}

}  // namespace
}  // namespace cairn
