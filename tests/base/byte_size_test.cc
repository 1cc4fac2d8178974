#include "base/byte_size.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TEST(ByteSize, SuffixesArePowersOf1024Or1000) {
  EXPECT_EQ(ParseByteSize("0"), 0u);
  EXPECT_EQ(ParseByteSize("4096"), 4096u);
  EXPECT_EQ(ParseByteSize("7B"), 7u);
  EXPECT_EQ(ParseByteSize("64KiB"), 65536u);
  EXPECT_EQ(ParseByteSize("64 KiB"), 65536u);
  EXPECT_EQ(ParseByteSize("4GiB"), uint64_t{4} << 30);
  EXPECT_EQ(ParseByteSize("2TiB"), uint64_t{2} << 40);
  EXPECT_EQ(ParseByteSize("3KB"), 3000u);
  EXPECT_EQ(ParseByteSize("3TB"), 3'000'000'000'000u);
}

TEST(ByteSize, DecimalsAreCutToWholeBytes) {
  EXPECT_EQ(ParseByteSize("1.5GiB"), uint64_t{3} << 29);
  EXPECT_EQ(ParseByteSize("0.1KiB"), 102u);
  EXPECT_EQ(ParseByteSize("0.000000000001TB"), 1u);
}

TEST(ByteSize, TheLargestValueIsReadAndTheNextIsNot) {
  EXPECT_EQ(ParseByteSize("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseByteSize("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ParseByteSize("16777216TiB"), std::nullopt);
}

TEST(ByteSize, AnythingElseIsRefused) {
  for (const char* text : {"", " ", "B", "KiB", "-1", "+1", "1K", "1kib", "1GiBx", "1  GiB", "1 ",
                           "1.5", "1.GiB", ".5GiB", "1e3", "0x10", "1.0000000000001TB"}) {
    EXPECT_EQ(ParseByteSize(text), std::nullopt) << text;
  }
}

TEST(ByteSize, FormatKeepsTheNumberWhole) {
  EXPECT_EQ(FormatByteSize(0), "0B");
  EXPECT_EQ(FormatByteSize(1500), "1500B");
  EXPECT_EQ(FormatByteSize(uint64_t{4} << 30), "4GiB");
  EXPECT_EQ(FormatByteSize((uint64_t{4} << 30) + 1024), "4194305KiB");
}

TEST(ByteSize, WhatFormatWroteParseReads) {
  SeededRandom random(1);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t bytes = random.Next() >> random.Below(64) << random.Below(41);
    EXPECT_EQ(ParseByteSize(FormatByteSize(bytes)), bytes);
  }
}

}  // namespace
}  // namespace cairn
