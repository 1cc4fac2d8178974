#include "base/clock.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Instant, AddsAndSubtractsDurations) {
  const Instant at{1'000};
  EXPECT_EQ(at + absl::Nanoseconds(5), Instant{1'005});
  EXPECT_EQ(at - absl::Microseconds(1), Instant{0});
  EXPECT_EQ(Instant{3'000} - at, absl::Microseconds(2));
  EXPECT_LT(at, at + absl::Nanoseconds(1));
}

TEST(Instant, AnInfiniteTimeoutIsNeverAndNotThePast) {
  EXPECT_EQ(Instant{1'000} + absl::InfiniteDuration(), kNever);
  EXPECT_EQ(Instant{1'000} + absl::Hours(24 * 365 * 1000), kNever);
  EXPECT_EQ(kNever + absl::Seconds(1), kNever);
  EXPECT_GT(kNever - Instant{-1'000}, absl::Hours(24 * 365 * 200));
}

TEST(RealClock, NeverRunsBackwards) {
  Instant last = RealClock().Now();
  for (int i = 0; i < 1'000; ++i) {
    const Instant now = RealClock().Now();
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(RealClock, WallTimeIsAfterThisWasWritten) {
  EXPECT_GT(RealClock().UnixSeconds(), 1'700'000'000);
}

}  // namespace
}  // namespace cairn
