#include "cache/policy/return_model.h"

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

constexpr uint64_t kRoom = 1000;
constexpr int64_t kRound_ms = 600'000;

class ReturnModelTest : public testing::Test {
 protected:
  // A block that was used twice is used once more after so long.
  void Return(bool rested, int64_t after_ms) {
    now_ms_ += 100;
    const size_t category = ReturnCategory(2, rested, 0);
    model_.Returned(category, now_ms_ - after_ms, now_ms_);
    model_.Touched(category, now_ms_, kRoom);
  }
  int64_t Exponential(double mean_ms) {
    const double uniform = static_cast<double>(random_.Next() >> 11) * 0x1p-53;
    return static_cast<int64_t>(-mean_ms * std::log(1 - uniform));
  }
  bool Ripens(bool rested, int64_t age_ms) const {
    return model_.Ripens(ReturnCategory(2, rested, 0), age_ms);
  }

  ReturnModel model_;
  SeededRandom random_{1};
  int64_t now_ms_ = kRound_ms;
};

TEST_F(ReturnModelTest, WhatReturnsEvenlyRipensUntilItIsOverdue) {
  for (int i = 0; i < 5000; ++i) Return(true, kRound_ms + Exponential(20'000));
  model_.Fit(now_ms_);
  EXPECT_TRUE(Ripens(true, 0));
  EXPECT_TRUE(Ripens(true, kRound_ms * 9 / 10));
  EXPECT_FALSE(Ripens(true, 2 * kRound_ms));
}

TEST_F(ReturnModelTest, WhatReturnsAtRandomNeverRipens) {
  for (const bool rested : {false, true}) {
    for (int i = 0; i < 5000; ++i) Return(rested, Exponential(60'000));
  }
  model_.Fit(now_ms_);
  EXPECT_FALSE(Ripens(false, 0));
  EXPECT_FALSE(Ripens(true, 0));
}

TEST_F(ReturnModelTest, RoundsAreJudgedApartFromWhatReturnsSoon) {
  for (int i = 0; i < 5000; ++i) {
    Return(false, Exponential(20'000));
    Return(true, kRound_ms + Exponential(20'000));
  }
  for (int i = 0; i < 20; ++i) model_.Fit(now_ms_);
  EXPECT_FALSE(Ripens(false, 0));
  EXPECT_TRUE(Ripens(true, 0));
  const size_t soon = ReturnCategory(2, false, 0);
  const size_t rounds = ReturnCategory(2, true, 0);
  EXPECT_GT(model_.LogHazard(soon, 1000), model_.LogHazard(rounds, 1000));
  EXPECT_LT(model_.LogHazard(soon, kRound_ms / 2), model_.LogHazard(rounds, kRound_ms / 2));
}

TEST_F(ReturnModelTest, LongAgoIsWhatTouchesSinceWouldHaveFilledMemoryWith) {
  for (uint64_t i = 0; i < 10 * kRoom; ++i) Return(false, 50);
  EXPECT_FALSE(model_.LongAgo(now_ms_ - 100 * static_cast<int64_t>(kRoom)));
  EXPECT_TRUE(model_.LongAgo(now_ms_ - 100 * static_cast<int64_t>(2 * kRoom)));
}

}  // namespace
}  // namespace cairn
