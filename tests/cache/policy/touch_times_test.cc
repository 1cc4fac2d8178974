#include "cache/policy/touch_times.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr int64_t kUnit_ms = int64_t{1} << TouchTimes::kUnitShift;

TEST(TouchTimes, KeepsATimeToItsUnitAndNeverInTheFuture) {
  TouchTimes times = TouchTimes::Create(8).value();
  for (const int64_t at_ms :
       {int64_t{0}, int64_t{63}, int64_t{64}, int64_t{1'000'001}, TouchTimes::kSpan_ms - 1}) {
    ASSERT_FALSE(times.OutOfSpan(at_ms));
    times.Set(3, at_ms);
    EXPECT_LE(times.Of(3), at_ms);
    EXPECT_GT(times.Of(3), at_ms - kUnit_ms);
  }
}

TEST(TouchTimes, WhatRestedLongerThanTheSpanCountsAsUsedAtTheOrigin) {
  TouchTimes times = TouchTimes::Create(8).value();
  times.Set(0, 1000);
  times.Set(1, TouchTimes::kSpan_ms * 3 / 4);
  const int64_t now_ms = TouchTimes::kSpan_ms;
  ASSERT_TRUE(times.OutOfSpan(now_ms));
  times.MoveOrigin(now_ms);
  EXPECT_EQ(times.Of(0), now_ms - TouchTimes::kSpan_ms / 2);
  EXPECT_EQ(times.Of(1), TouchTimes::kSpan_ms * 3 / 4);
  times.Set(2, now_ms);
  EXPECT_EQ(times.Of(2), now_ms);
}

TEST(TouchTimes, AYearOfRestIsOneMoveOfTheOrigin) {
  TouchTimes times = TouchTimes::Create(8).value();
  times.Set(0, 1000);
  const int64_t now_ms = int64_t{365} * 24 * 3'600'000;
  times.MoveOrigin(now_ms);
  EXPECT_FALSE(times.OutOfSpan(now_ms));
  times.Set(1, now_ms);
  EXPECT_LT(times.Of(0), times.Of(1));
}

}  // namespace
}  // namespace cairn
