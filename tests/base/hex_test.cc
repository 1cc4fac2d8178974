#include "base/hex.h"

#include <array>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TEST(Hex, EncodesLowerCase) {
  const std::array<std::byte, 3> bytes = {std::byte{0x00}, std::byte{0xab}, std::byte{0x7f}};
  EXPECT_EQ(HexEncode(bytes), "00ab7f");
  EXPECT_EQ(HexEncode({}), "");
}

TEST(Hex, DecodesBothCases) {
  std::array<std::byte, 2> out;
  ASSERT_TRUE(HexDecode("aBFf", absl::MakeSpan(out)).ok());
  EXPECT_EQ(out[0], std::byte{0xab});
  EXPECT_EQ(out[1], std::byte{0xff});
}

TEST(Hex, WhatEncodeWroteDecodeReads) {
  SeededRandom random(3);
  std::array<std::byte, 33> bytes;
  std::array<std::byte, 33> back;
  for (int i = 0; i < 100; ++i) {
    random.Fill(absl::MakeSpan(bytes));
    ASSERT_TRUE(HexDecode(HexEncode(bytes), absl::MakeSpan(back)).ok());
    EXPECT_EQ(bytes, back);
  }
}

TEST(Hex, TheMessageTellsLengthOrPlaceButNotTheSecret) {
  std::array<std::byte, 2> out;
  EXPECT_EQ(HexDecode("abc", absl::MakeSpan(out)).message(),
            "expected 4 hexadecimal digits, got 3 characters");
  EXPECT_EQ(HexDecode("abxd", absl::MakeSpan(out)).message(),
            "character 3 is no hexadecimal digit");
  EXPECT_EQ(HexDecode("abc:", absl::MakeSpan(out)).message(),
            "character 4 is no hexadecimal digit");
}

}  // namespace
}  // namespace cairn
