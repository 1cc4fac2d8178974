#include "client/extents.h"

#include <cstddef>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kRegionBytes = 1u << 20;

absl::StatusOr<uint32_t> Check(const std::vector<Extents>& extents,
                               uint64_t region_bytes = kRegionBytes) {
  return CheckExtents(extents, region_bytes);
}

void ExpectRefused(const std::vector<Extents>& extents, const char* named,
                   uint64_t region_bytes = kRegionBytes) {
  const auto length = Check(extents, region_bytes);
  EXPECT_EQ(length.status().code(), absl::StatusCode::kInvalidArgument) << named;
  EXPECT_THAT(std::string(length.status().message()), HasSubstr(named));
}

TEST(Extents, TheLengthIsTheSumOfAllPieces) {
  EXPECT_EQ(Check({{.size_bytes = 7}}).value(), 7u);
  EXPECT_EQ(Check({{.stride_bytes = 100, .count = 3, .size_bytes = 10}}).value(), 30u);
  const std::vector<Extents> mixed = {
      {.size_bytes = 5}, {.base_bytes = 50, .stride_bytes = 8, .count = 4, .size_bytes = 8}};
  EXPECT_EQ(Check(mixed).value(), 37u);
  EXPECT_EQ(LengthOf(mixed), 37u);
}

TEST(Extents, MayTouchTheRegionsEndAndNotPassIt) {
  EXPECT_TRUE(Check({{.size_bytes = kRegionBytes}}).ok());
  EXPECT_TRUE(Check({{.base_bytes = kRegionBytes - 1, .size_bytes = 1}}).ok());
  ExpectRefused({{.base_bytes = kRegionBytes, .size_bytes = 1}}, "extents[0].base_bytes");
  ExpectRefused({{.size_bytes = kRegionBytes + 1}}, "extents[0].base_bytes");
  EXPECT_TRUE(
      Check({{.base_bytes = 24, .stride_bytes = 100, .count = 10, .size_bytes = 76}}, 1000).ok());
  ExpectRefused({{.base_bytes = 25, .stride_bytes = 100, .count = 10, .size_bytes = 76}},
                "extents[0].base_bytes", 1000);
}

TEST(Extents, HugeFiguresDoNotWrapAround) {
  ExpectRefused({{.base_bytes = UINT64_MAX, .size_bytes = 2}}, "base_bytes");
  ExpectRefused({{.stride_bytes = UINT64_MAX / 2, .count = 3, .size_bytes = 1}}, "base_bytes");
  ExpectRefused(
      {{.stride_bytes = uint64_t{1} << 32, .count = UINT32_MAX, .size_bytes = UINT32_MAX}},
      "base_bytes");
  ExpectRefused({{.stride_bytes = UINT64_MAX, .count = UINT32_MAX, .size_bytes = 1}}, "base_bytes");
}

TEST(Extents, EmptyPiecesAndListsAreRefused) {
  ExpectRefused({}, "extents: 0 given");
  ExpectRefused({{.size_bytes = 0}}, "extents[0].size_bytes");
  ExpectRefused({{.size_bytes = 1}, {.count = 0, .size_bytes = 1}}, "extents[1].count");
}

TEST(Extents, TooManyListsAreRefused) {
  EXPECT_TRUE(Check(std::vector<Extents>(kExtentsPerTransferMax, {.size_bytes = 1})).ok());
  ExpectRefused(std::vector<Extents>(kExtentsPerTransferMax + 1, {.size_bytes = 1}),
                "extents: 257");
}

TEST(Extents, PiecesOfAListDoNotOverlap) {
  ExpectRefused({{.stride_bytes = 9, .count = 2, .size_bytes = 10}}, "extents[0].stride_bytes");
  ExpectRefused({{.stride_bytes = 0, .count = 2, .size_bytes = 10}}, "extents[0].stride_bytes");
  EXPECT_TRUE(Check({{.stride_bytes = 10, .count = 2, .size_bytes = 10}}).ok());
}

TEST(Extents, TheStrideOfASinglePieceIsIgnored) {
  EXPECT_TRUE(Check({{.stride_bytes = UINT64_MAX, .count = 1, .size_bytes = 10}}).ok());
  EXPECT_EQ(ReachOf(std::vector<Extents>{{.stride_bytes = 3, .size_bytes = 10}}), Reach::kWhole);
}

TEST(Extents, ABlockBeyondTheLargestIsRefused) {
  constexpr uint64_t kLarge = uint64_t{1} << 30;
  EXPECT_EQ(Check({{.size_bytes = kBlockBytesMax}}, kLarge).value(), kBlockBytesMax);
  ExpectRefused({{.size_bytes = kBlockBytesMax}, {.size_bytes = 1}}, "at most 67108864", kLarge);
}

TEST(Extents, OnePieceIsReachedWholeAndLargePiecesOneByOne) {
  const auto reach = [](const std::vector<Extents>& extents) { return ReachOf(extents); };
  EXPECT_EQ(reach({{.size_bytes = 1}}), Reach::kWhole);
  EXPECT_EQ(reach({{.stride_bytes = 10, .count = 9, .size_bytes = 10}}), Reach::kWhole);
  EXPECT_EQ(reach({{.stride_bytes = 2 * kPieceBytesMin, .count = 2, .size_bytes = kPieceBytesMin}}),
            Reach::kPieces);
  EXPECT_EQ(reach({{.stride_bytes = kPieceBytesMin, .count = 2, .size_bytes = kPieceBytesMin - 1}}),
            Reach::kBounce);
  EXPECT_EQ(reach({{.size_bytes = kPieceBytesMin}, {.size_bytes = kPieceBytesMin}}),
            Reach::kPieces);
  EXPECT_EQ(reach({{.size_bytes = kPieceBytesMin}, {.size_bytes = kPieceBytesMin + 1}}),
            Reach::kBounce);
  EXPECT_EQ(reach({{.size_bytes = kPieceBytesMin},
                   {.stride_bytes = kPieceBytesMin, .count = 2, .size_bytes = kPieceBytesMin}}),
            Reach::kBounce);
}

TEST(Extents, GatherConcatenatesAndScatterPutsBack) {
  std::vector<std::byte> memory(1000);
  SeededRandom(1).Fill(absl::MakeSpan(memory));
  const std::vector<Extents> extents = {
      {.base_bytes = 900, .size_bytes = 50},
      {.base_bytes = 3, .stride_bytes = 100, .count = 5, .size_bytes = 20}};
  std::vector<std::byte> block(LengthOf(extents));
  Gather(extents, memory.data(), absl::MakeSpan(block));
  EXPECT_TRUE(std::equal(block.begin(), block.begin() + 50, memory.begin() + 900));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(std::equal(block.begin() + 50 + 20 * i, block.begin() + 70 + 20 * i,
                           memory.begin() + 3 + 100 * i))
        << i;
  }
  std::vector<std::byte> copy(memory.size());
  Scatter(block, extents, copy.data());
  for (size_t i = 0; i < memory.size(); ++i) {
    const bool inside = (i >= 900 && i < 950) || (i >= 3 && i < 500 && (i - 3) % 100 < 20);
    ASSERT_EQ(copy[i], inside ? memory[i] : std::byte{0}) << i;
  }
}

}  // namespace
}  // namespace cairn
