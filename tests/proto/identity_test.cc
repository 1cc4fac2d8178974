#include "proto/identity.h"

#include <bit>
#include <type_traits>

#include <gtest/gtest.h>

#include "proto/little_endian.h"

namespace cairn {
namespace {

TEST(RunStart, GrowsByPowersOfTwoToThirtyTwo) {
  const uint32_t expected[] = {0,  1,  2,  2,  4,  4,  4,  4,  8,  8,  8,  8,  8,  8,  8,  8, 16,
                               16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 32};
  for (uint32_t position = 0; position < std::size(expected); ++position) {
    EXPECT_EQ(RunStart(position), expected[position]) << position;
  }
}

TEST(RunStart, IsTheHeadOfItsOwnRunAndNeverDecreases) {
  uint32_t previous = 0;
  for (uint32_t position = 0; position <= 100000; ++position) {
    const uint32_t start = RunStart(position);
    EXPECT_LE(start, position);
    EXPECT_LT(position - start, 32u);
    EXPECT_EQ(RunStart(start), start);
    EXPECT_GE(start, previous);
    previous = start;
  }
}

TEST(RunStart, HoldsAtTheEndOfTheLongestChain) {
  EXPECT_EQ(RunStart(kChainPositionMax), kChainPositionMax - 31);
  EXPECT_EQ(RunStart(UINT32_MAX), UINT32_MAX - 31);
}

TEST(Id128, KindsDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<BlockKey, NamespaceId>));
  EXPECT_FALSE((std::is_assignable_v<BlockKey&, Checksum>));
}

TEST(Id128, OrdersByBytes) {
  BlockKey low;
  BlockKey high;
  low.bytes[15] = std::byte{0xff};
  high.bytes[0] = std::byte{1};
  EXPECT_LT(low, high);
  EXPECT_NE(low, high);
  EXPECT_EQ(low, low);
}

TEST(LittleEndian, PutsTheLowestByteFirst) {
  const U64Le value = 0x0102030405060708;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(bytes[i], 8 - i);
}

TEST(LittleEndian, KeepsEveryBitAtEveryAlignment) {
  unsigned char storage[sizeof(U64Le) + 8] = {};
  for (size_t shift = 0; shift < 8; ++shift) {
    auto* value = reinterpret_cast<U64Le*>(storage + shift);
    for (int bit = 0; bit < 64; ++bit) {
      *value = uint64_t{1} << bit;
      EXPECT_EQ(uint64_t{*value}, uint64_t{1} << bit);
    }
  }
}

}  // namespace
}  // namespace cairn
