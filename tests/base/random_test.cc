#include "base/random.h"

#include <array>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(SeededRandom, TheSameSeedGivesTheSameSequence) {
  SeededRandom first(42);
  SeededRandom second(42);
  SeededRandom other(43);
  EXPECT_NE(SeededRandom(42).Next(), other.Next());
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(first.Next(), second.Next());
}

// What the authors' algorithms (prng.di.unimi.it) give for this seed, in every implementation.
TEST(SeededRandom, IsXoshiro256StarStarSeededBySplitMix64) {
  SeededRandom random(0);
  EXPECT_EQ(random.Next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(random.Next(), 0xbf6e1f784956452au);
  EXPECT_EQ(random.Next(), 0x1a5f849d4933e6e0u);
}

TEST(Random, BelowStaysBelowAndReachesEveryValue) {
  SeededRandom random(5);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1'000; ++i) {
    const uint64_t value = random.Below(7);
    ASSERT_LT(value, 7u);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, BelowIsUniformForABoundThatWouldBiasAModulo) {
  // Of 2^64 values modulo 3 * 2^62, a quarter of all results would come up twice as often.
  constexpr uint64_t kQuarter = uint64_t{1} << 62;
  SeededRandom random(6);
  std::array<int, 3> thirds = {};
  for (int i = 0; i < 30'000; ++i) ++thirds[random.Below(3 * kQuarter) / kQuarter];
  EXPECT_THAT(thirds, testing::Each(testing::AllOf(testing::Gt(9'500), testing::Lt(10'500))));
}

TEST(Random, FillWritesEveryByteOfAnyLengthAndNoMore) {
  SeededRandom random(8);
  for (size_t size = 0; size <= 33; ++size) {
    std::vector<bool> changed(size);
    for (int round = 0; round < 64; ++round) {
      std::vector<std::byte> bytes(size + 1);
      random.Fill(absl::MakeSpan(bytes).first(size));
      for (size_t i = 0; i < size; ++i) changed[i] = changed[i] || bytes[i] != std::byte{0};
      EXPECT_EQ(bytes[size], std::byte{0});
    }
    EXPECT_THAT(changed, testing::Each(true));
  }
}

TEST(RealRandom, TwoDrawsDiffer) { EXPECT_NE(RealRandom().Next(), RealRandom().Next()); }

}  // namespace
}  // namespace cairn
