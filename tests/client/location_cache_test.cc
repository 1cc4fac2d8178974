#include "client/location_cache.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

BlockKey Key(uint64_t number) {
  BlockKey key;
  SeededRandom(number).Fill(absl::MakeSpan(key.bytes));
  return key;
}

size_t Known(const LocationCache& cache, uint64_t first, uint64_t count) {
  size_t known = 0;
  for (uint64_t i = first; i < first + count; ++i) known += cache.Find(Key(i)).has_value() ? 1 : 0;
  return known;
}

TEST(LocationCache, FindsWhatItLearnt) {
  LocationCache cache(16);
  EXPECT_FALSE(cache.Find(Key(1)).has_value());
  cache.Learn(Key(1), 7);
  EXPECT_EQ(cache.Find(Key(1)), 7u);
  cache.Learn(Key(1), 8);
  EXPECT_EQ(cache.Find(Key(1)), 8u);
}

TEST(LocationCache, IsBoundedAndKeepsTheNewestHalf) {
  constexpr size_t kEntries = 64;
  LocationCache cache(kEntries);
  for (uint64_t i = 0; i < 10'000; ++i) {
    cache.Learn(Key(i), static_cast<LinkIndex>(i));
    const uint64_t first = i < kEntries / 2 ? 0 : i + 1 - kEntries / 2;
    ASSERT_EQ(Known(cache, first, i + 1 - first), i + 1 - first) << i;
  }
  EXPECT_LE(Known(cache, 0, 10'000), kEntries);
}

TEST(LocationCache, LearningAKnownKeyDisplacesNothing) {
  LocationCache cache(16);
  for (uint64_t i = 0; i < 16; ++i) cache.Learn(Key(i), 1);
  const size_t before = Known(cache, 0, 16);
  for (int i = 0; i < 100; ++i) cache.Learn(Key(15), 2);
  EXPECT_EQ(Known(cache, 0, 16), before);
}

TEST(LocationCache, WhatIsForgottenIsForgottenInBothGenerations) {
  LocationCache cache(16);
  cache.Learn(Key(1), 1);
  for (uint64_t i = 100; i < 108; ++i) cache.Learn(Key(i), 1);
  cache.Learn(Key(1), 2);
  cache.Forget(Key(1));
  EXPECT_FALSE(cache.Find(Key(1)).has_value());
  cache.Forget(Key(1));
}

}  // namespace
}  // namespace cairn
