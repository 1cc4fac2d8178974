#include "cache/policy/policy.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cache/policy/policy_rig.h"

namespace cairn {
namespace {

TEST(PolicyKind, IsKnownByItsName) {
  EXPECT_EQ(*ParsePolicyKind("lru"), PolicyKind::kLru);
  EXPECT_EQ(*ParsePolicyKind("s3fifo"), PolicyKind::kS3Fifo);
  EXPECT_EQ(*ParsePolicyKind("learned"), PolicyKind::kLearned);
  EXPECT_TRUE(absl::IsInvalidArgument(ParsePolicyKind("LRU").status()));
}

class EveryPolicy : public testing::TestWithParam<PolicyKind> {
 protected:
  PolicyRig rig_{GetParam()};
};

TEST_P(EveryPolicy, HasNoVictimWhereNothingIsOffered) {
  EXPECT_EQ(rig_.policy().Victim(0, 0), kNoEntry);
  rig_.Put(1, 1, kNoEntry, 64);
  rig_.policy().Withdraw(1, PolicyRig::kGroup);  // pinned
  EXPECT_EQ(rig_.policy().Victim(PolicyRig::kGroup, 128), kNoEntry);
  rig_.policy().Offer(1, PolicyRig::kGroup);
  EXPECT_EQ(rig_.policy().Victim(PolicyRig::kGroup, 128), 1u);
  EXPECT_EQ(rig_.policy().Victim(0, 128), kNoEntry) << "of another size";
}

TEST_P(EveryPolicy, AChainGoesTailFirst) {
  for (EntryId id = 0; id < 8; ++id) rig_.Put(id, id, id == 0 ? kNoEntry : id - 1, 64);
  for (EntryId id = 8; id > 0; --id) EXPECT_EQ(rig_.EvictOne(1000), id - 1);
  EXPECT_EQ(rig_.EvictOne(1000), kNoEntry);
  EXPECT_EQ(rig_.policy().resident(), 0u);
}

TEST_P(EveryPolicy, CountsOfUsesAreBounded) {
  rig_.Put(1, 1, kNoEntry, 64);
  for (int64_t use = 1; use <= 1000; ++use) {
    rig_.Use(1, use * 64);
    ASSERT_LE(rig_.entry(1).touches, kTouchCountMax);
    ASSERT_GE(rig_.entry(1).touches, 1u);
  }
  EXPECT_EQ(rig_.EvictOne(70'000), 1u);
  rig_.Put(2, 1, kNoEntry, 80'000);  // from what is remembered of it
  EXPECT_LE(rig_.entry(2).touches, kTouchCountMax);
}

TEST_P(EveryPolicy, GoesOnInOrderAfterAYearOfRest) {
  const int64_t year_ms = int64_t{365} * 24 * 3'600'000;
  for (EntryId id = 0; id < 100; ++id) rig_.Put(id, id, kNoEntry, id * 1000);
  for (EntryId id = 100; id < 200; ++id) rig_.Put(id, id, kNoEntry, year_ms + id * 1000);
  for (EntryId id = 0; id < 200; ++id) EXPECT_EQ(rig_.EvictOne(year_ms + 300'000), id);
}

TEST_P(EveryPolicy, ADroppedBlockIsNoLesson) {
  rig_.Put(1, 1, kNoEntry, 64);
  rig_.Use(1, 640);
  rig_.policy().Withdraw(1, PolicyRig::kGroup);
  rig_.policy().Drop(1);
  EXPECT_FALSE(rig_.policy().Holds(1));
  rig_.Put(2, 1, kNoEntry, 1280);
  EXPECT_EQ(rig_.entry(2).touches, 1u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryPolicy,
                         testing::Values(PolicyKind::kLru, PolicyKind::kS3Fifo,
                                         PolicyKind::kLearned));

TEST(S3FifoPolicy, WhatIsUsedOnceOnlyGoesThroughTheSmallQueue) {
  PolicyRig rig(PolicyKind::kS3Fifo);
  for (EntryId id = 0; id < 50; ++id) rig.Put(id, id, kNoEntry, id * 64);
  for (EntryId id = 0; id < 50; id += 5) {
    rig.Use(id, 6400);
    rig.Use(id, 6464);
  }
  for (int i = 0; i < 38; ++i) EXPECT_NE(rig.EvictOne(12'800) % 5, 0u);
}

TEST(LearnedPolicy, OfEqualAgeWhatWasUsedMoreOftenStays) {
  PolicyRig rig(PolicyKind::kLearned);
  rig.Put(1, 1, kNoEntry, 0);
  rig.Put(2, 2, kNoEntry, 0);
  for (int64_t use = 1; use < 5; ++use) rig.Use(1, use * 1000);
  rig.Use(2, 4000);
  EXPECT_EQ(rig.EvictOne(10'000), 2u);
}

TEST(LearnedPolicy, OfWhatIsReadRoundAndRoundItKeepsAPart) {
  constexpr uint64_t kNumbers = 400;  // and room for 300
  PolicyRig rig(PolicyKind::kLearned);
  std::vector<EntryId> entry_of(kNumbers, kNoEntry);
  std::vector<EntryId> free;
  free.reserve(300);
  for (EntryId id = 0; id < 300; ++id) free.push_back(id);
  uint64_t hits = 0;
  for (uint64_t step = 0; step < 20 * kNumbers; ++step) {
    const auto now_ms = static_cast<int64_t>(step * 1000);
    EntryId& id = entry_of[step % kNumbers];
    if (id != kNoEntry) {
      hits += step >= 4 * kNumbers ? 1 : 0;
      rig.Use(id, now_ms);
      continue;
    }
    if (free.empty()) {
      free.push_back(rig.EvictOne(now_ms));
      *std::find(entry_of.begin(), entry_of.end(), free.back()) = kNoEntry;
    }
    id = free.back();
    free.pop_back();
    rig.Put(id, step % kNumbers, kNoEntry, now_ms);
  }
  EXPECT_GT(hits, 16 * kNumbers / 2) << "by age none would be there";
}

TEST(ReturnHint, WhatAPutSaysIsWhatARecordSays) {
  for (size_t hint = 0; hint < kReturnHints; ++hint) {
    EXPECT_EQ(ReturnHintOf(HintBitsOf(static_cast<ReturnHint>(hint))),
              static_cast<ReturnHint>(hint));
  }
  EXPECT_EQ(ReturnHintOf(wire::kHintHighPriority), ReturnHint::kWillReturn);
  EXPECT_EQ(ReturnHintOf(wire::kHintOneOff | wire::kHintWillReturn), ReturnHint::kOneOff);
}

TEST(LearnedPolicy, TheEnginesHintsAreHonoured) {
  PolicyRig rig(PolicyKind::kLearned);
  rig.Put(1, 1, kNoEntry, 0, ReturnHint::kWillReturn);
  rig.Put(2, 2, kNoEntry, 64, ReturnHint::kNone);
  rig.Put(3, 3, kNoEntry, 128, ReturnHint::kOneOff);
  rig.Put(4, 4, kNoEntry, 128, ReturnHint::kLowPriority);
  EXPECT_EQ(rig.EvictOne(60'000), 3u);
  EXPECT_EQ(rig.EvictOne(60'000), 4u);
  EXPECT_EQ(rig.EvictOne(60'000), 2u);
  EXPECT_EQ(rig.EvictOne(60'000), 1u);
}

TEST(LearnedPolicy, AOneOffBlockGoesFirstAlsoWhereNothingEverReturns) {
  PolicyRig rig(PolicyKind::kLearned);
  int64_t now_ms = 0;
  for (uint64_t number = 0; number < 6000; ++number) {
    now_ms += 1000;
    rig.Put(static_cast<EntryId>(number % 500), 10'000 + number, kNoEntry, now_ms);
    if (number >= 499) rig.EvictOne(now_ms);
  }
  rig.Put(600, 1, kNoEntry, now_ms, ReturnHint::kOneOff);
  EXPECT_EQ(rig.EvictOne(now_ms + 1000), 600u);
}

TEST(LearnedPolicy, AHintThatProvesWrongLosesItsWeight) {
  PolicyRig rig(PolicyKind::kLearned);
  int64_t now_ms = 0;
  // Thousands that shall return never do; those without a hint return each time.
  for (uint64_t number = 0; number < 6000; ++number) {
    now_ms += 1000;
    rig.Put(0, 10'000 + number, kNoEntry, now_ms, ReturnHint::kWillReturn);
    rig.Put(1, number % 20, kNoEntry, now_ms);
    rig.EvictOne(now_ms + 500);
    rig.EvictOne(now_ms + 500);
  }
  rig.Put(2, 50'000, kNoEntry, now_ms, ReturnHint::kWillReturn);
  rig.Put(3, 1, kNoEntry, now_ms);
  EXPECT_EQ(rig.EvictOne(now_ms + 1000), 2u);
}

}  // namespace
}  // namespace cairn
