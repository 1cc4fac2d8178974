#include "base/check.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(CheckDeathTest, AFailedCheckEndsTheProcessWithItsPlaceAndCondition) {
  const int blocks = 3;
  EXPECT_DEATH(CAIRN_CHECK(blocks == 4), "check_test.cc:[0-9]+: check failed: blocks == 4");
}

TEST(Check, APassedCheckEvaluatesItsConditionOnce) {
  int evaluations = 0;
  CAIRN_CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

}  // namespace
}  // namespace cairn
