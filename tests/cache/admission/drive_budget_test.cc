#include "cache/admission/drive_budget.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr uint64_t kBudget = 289'000'000;  // a slot's nominal part is a million

class StandingClock final : public Clock {
 public:
  Instant Now() override { return now; }
  int64_t UnixSeconds() override { return 0; }
  Instant now{1};
};

TEST(DriveBudget, WithoutALimitEverythingIsAllowed) {
  StandingClock clock;
  DriveBudget budget(0, clock);
  budget.Offer(kBudget);
  budget.Append(kBudget);
  budget.DriveWrote(2 * kBudget);
  EXPECT_EQ(budget.Share(), 1);
  EXPECT_TRUE(budget.Allows(kBudget));
  EXPECT_EQ(budget.LeftToday(), 0u);
}

TEST(DriveBudget, WhatTheDriveWritesBesidesRecordsIsSpentOnce) {
  StandingClock clock;
  DriveBudget budget(kBudget, clock);
  const uint64_t left = budget.LeftToday();
  budget.Append(1000);
  EXPECT_EQ(budget.LeftToday(), left - 1000);
  budget.DriveWrote(400);  // on its way
  EXPECT_EQ(budget.LeftToday(), left - 1000);
  budget.DriveWrote(1010);  // and a header
  budget.DriveWrote(1010);
  EXPECT_EQ(budget.LeftToday(), left - 1010);
  budget.Append(500);
  budget.DriveWrote(1530);
  EXPECT_EQ(budget.LeftToday(), left - 1530);
}

TEST(DriveBudget, WhatWasLostBeforeItWasWrittenStaysSpent) {
  StandingClock clock;
  DriveBudget budget(kBudget, clock);
  const uint64_t left = budget.LeftToday();
  budget.Append(1000);
  budget.DriveWrote(100);
  budget.Append(1000);
  budget.DriveWrote(1100);
  EXPECT_EQ(budget.LeftToday(), left - 2000);
}

}  // namespace
}  // namespace cairn
