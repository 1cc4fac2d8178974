#include "cache/admission/leaving_classes.h"

#include <set>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr uint64_t kBytes = 1 << 20;

LeavingClass ClassOfLength(uint32_t length) {
  return LeavingClassOf({.uses = 0, .length = length, .origin = ChainOrigin::kRoot});
}

// So many blocks of a class leave, and of a hundred so many come back.
void Teach(LeavingClasses& classes, LeavingClass cls, int blocks, int back_of_hundred) {
  for (int i = 0; i < blocks; ++i) {
    classes.Left(cls, kBytes);
    if (i % 100 < back_of_hundred) classes.Returned(cls);
  }
}
// After enough questions for a new order.
double PartOf(LeavingClasses& classes, LeavingClass cls, double share) {
  for (int i = 0; i < 256; ++i) classes.PartOf(cls, share);
  return classes.PartOf(cls, share);
}

TEST(LeavingClasses, EveryTraitMakesAClassOfItsOwn) {
  std::set<LeavingClass> seen;
  for (uint32_t uses = 0; uses < kUseClasses; ++uses) {
    for (uint32_t octave = 0; octave < kLengthClasses; ++octave) {
      for (uint32_t origin = 0; origin < kOriginClasses; ++origin) {
        for (const bool is_leaf : {false, true}) {
          const LeavingClass cls =
              LeavingClassOf({uses, 1u << octave, static_cast<ChainOrigin>(origin), is_leaf});
          EXPECT_GE(cls, 1u);
          EXPECT_LE(cls, kLeavingClasses);
          seen.insert(cls);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), kLeavingClasses);
}

TEST(LeavingClasses, AllIsWrittenWhenTheBudgetReaches) {
  LeavingClasses classes;
  Teach(classes, ClassOfLength(1), 1000, 0);
  Teach(classes, ClassOfLength(64), 1000, 90);
  EXPECT_EQ(PartOf(classes, ClassOfLength(1), 1), 1);
  EXPECT_EQ(PartOf(classes, ClassOfLength(64), 1), 1);
}

TEST(LeavingClasses, WhatComesBackMoreOftenGoesFirst) {
  LeavingClasses classes;
  Teach(classes, ClassOfLength(1), 1000, 40);
  Teach(classes, ClassOfLength(8), 1000, 80);
  Teach(classes, ClassOfLength(64), 1000, 10);
  EXPECT_EQ(PartOf(classes, ClassOfLength(8), 0.5), 1);
  EXPECT_NEAR(PartOf(classes, ClassOfLength(1), 0.5), 0.5, 0.01);
  EXPECT_EQ(PartOf(classes, ClassOfLength(64), 0.5), 0);
}

TEST(LeavingClasses, LongChainsGoFirstWhereTheyComeBackMoreOften) {
  LeavingClasses classes;
  Teach(classes, ClassOfLength(2), 1000, 5);
  Teach(classes, ClassOfLength(200), 1000, 60);
  EXPECT_EQ(PartOf(classes, ClassOfLength(200), 0.5), 1);
  EXPECT_EQ(PartOf(classes, ClassOfLength(2), 0.4), 0);
}

TEST(LeavingClasses, WhatIsWrittenAnywayLeavesLessForTheOthers) {
  LeavingClasses classes;
  Teach(classes, ClassOfLength(1), 1000, 40);
  for (int i = 0; i < 1000; ++i) classes.LeftFavoured(kBytes);
  EXPECT_NEAR(PartOf(classes, ClassOfLength(1), 0.75), 0.5, 0.01);
  EXPECT_EQ(PartOf(classes, ClassOfLength(1), 0.4), 0);
}

TEST(LeavingClasses, AChangeOfLoadIsLearned) {
  LeavingClasses classes;
  Teach(classes, ClassOfLength(1), 20'000, 80);
  Teach(classes, ClassOfLength(64), 20'000, 10);
  ASSERT_EQ(PartOf(classes, ClassOfLength(64), 0.3), 0);
  for (int i = 0; i < 60; ++i) {
    Teach(classes, ClassOfLength(1), 1'000, 10);
    Teach(classes, ClassOfLength(64), 1'000, 80);
  }
  EXPECT_EQ(PartOf(classes, ClassOfLength(64), 0.3) > 0.5, true);
  EXPECT_EQ(PartOf(classes, ClassOfLength(1), 0.3), 0);
}

TEST(LeavingClasses, WithoutABudgetNothingIsWritten) {
  LeavingClasses classes;
  EXPECT_EQ(PartOf(classes, ClassOfLength(1), 0), 0);
  Teach(classes, ClassOfLength(1), 10, 0);
  EXPECT_EQ(PartOf(classes, ClassOfLength(1), 0), 0);
  EXPECT_EQ(PartOf(classes, ClassOfLength(64), 0), 0);
}

TEST(LeavingClasses, AllIsWrittenBeforeAnythingIsKnown) {
  LeavingClasses classes;
  EXPECT_EQ(classes.PartOf(ClassOfLength(1), 1), 1);
  EXPECT_EQ(classes.PartOf(ClassOfLength(64), 1), 1);
}

}  // namespace
}  // namespace cairn
