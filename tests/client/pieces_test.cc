// One region over several pieces of memory, as an engine's tensor per layer: blocks land in and
// leave from exactly the pieces that their extents name.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/extents.h"
#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::kBlock;
using testing::NumberedKey;
using testing::PayloadOf;
using wire::MissReason;

struct Pieces : testing::ClientFixture {
  // Layers of kLayerBytes: neither in the order of their addresses nor touching one another.
  static constexpr size_t kLayerBytes = 2 << 20;
  static constexpr size_t kLayers = 3;

  Pieces() : cache((kLayers + 1) * (kLayerBytes + 4096)) { FillPattern(absl::MakeSpan(cache)); }

  absl::Span<std::byte> Layer(size_t layer) {
    return absl::MakeSpan(cache).subspan((kLayers - layer) * (kLayerBytes + 4096), kLayerBytes);
  }
  void StartWithLayers() {
    Start();
    const std::vector<absl::Span<std::byte>> pieces = {Layer(0), Layer(1), Layer(2)};
    region = client->RegisterPieces(pieces).value();
    ASSERT_EQ(region->size_bytes(), kLayers * kLayerBytes);
  }
  // `bytes` of each layer from `offset` on.
  static std::vector<Extents> OfEachLayer(uint64_t offset, uint32_t bytes) {
    std::vector<Extents> lists;
    for (size_t layer = 0; layer < kLayers; ++layer) {
      lists.push_back({.base_bytes = layer * kLayerBytes + offset, .size_bytes = bytes});
    }
    return lists;
  }
  Transfer TransferOf(uint64_t number, const std::vector<Extents>& lists) {
    Transfer transfer = MakeTransfer(number, NumberedKey(number), 0);
    transfer.extents = lists;
    return transfer;
  }
  // The block lies in its layers, and nothing beside it was touched.
  void ExpectLanded(uint64_t number, uint64_t offset, uint32_t bytes) {
    const std::vector<std::byte> block = PayloadOf(NumberedKey(number), kLayers * bytes);
    for (size_t layer = 0; layer < kLayers; ++layer) {
      EXPECT_TRUE(std::equal(block.begin() + static_cast<ptrdiff_t>(layer * bytes),
                             block.begin() + static_cast<ptrdiff_t>((layer + 1) * bytes),
                             Layer(layer).begin() + offset))
          << "layer " << layer;
      FillPattern(Layer(layer).subspan(offset, bytes));
    }
    EXPECT_TRUE(IsFilled(cache));
  }
  void FillLayers(uint64_t number, uint64_t offset, uint32_t bytes) {
    const std::vector<std::byte> block = PayloadOf(NumberedKey(number), kLayers * bytes);
    for (size_t layer = 0; layer < kLayers; ++layer) {
      std::copy_n(block.begin() + static_cast<ptrdiff_t>(layer * bytes), bytes,
                  Layer(layer).begin() + offset);
    }
  }
  std::vector<std::byte> cache;

  void ExpectRefused(const std::vector<absl::Span<std::byte>>& pieces, const char* why) {
    const absl::Status status = client->RegisterPieces(pieces).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }
};

TEST_F(Pieces, SmallPiecesOfABlockLandInTheirLayers) {
  StartWithLayers();
  constexpr uint32_t kBytes = 8 << 10;
  const std::vector<Extents> lists = OfEachLayer(3 * kBytes, kBytes);
  ASSERT_TRUE(client->Get({TransferOf(1, lists)}, LeaseId::kNone, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  ExpectLanded(1, 3 * kBytes, kBytes);
}

TEST_F(Pieces, LargePiecesLandInTheirLayersWithoutACopy) {
  StartWithLayers();
  constexpr uint32_t kBytes = kPieceBytesMin;
  const std::vector<Extents> lists = OfEachLayer(kBytes, kBytes);
  ASSERT_TRUE(client->Get({TransferOf(1, lists)}, LeaseId::kNone, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.fetches[0].blocks[0].chunk_bytes, kBytes);
  ExpectLanded(1, kBytes, kBytes);
}

TEST_F(Pieces, StridedPiecesOfSeveralLayersLandInOrder) {
  StartWithLayers();
  constexpr uint32_t kBytes = kPieceBytesMin;
  std::vector<Extents> lists = OfEachLayer(0, kBytes);
  for (Extents& list : lists) {
    list.count = 2;
    list.stride_bytes = 2 * kBytes;
  }
  ASSERT_TRUE(client->Get({TransferOf(1, lists)}, LeaseId::kNone, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  const std::vector<std::byte> block = PayloadOf(NumberedKey(1), 6 * kBytes);
  for (size_t piece = 0; piece < 6; ++piece) {
    EXPECT_TRUE(std::equal(block.begin() + static_cast<ptrdiff_t>(piece * kBytes),
                           block.begin() + static_cast<ptrdiff_t>((piece + 1) * kBytes),
                           Layer(piece / 2).begin() + piece % 2 * 2 * kBytes))
        << piece;
  }
}

TEST_F(Pieces, ABlockWithinOneLayerLandsWhole) {
  StartWithLayers();
  const std::vector<Extents> lists = {{.base_bytes = 2 * kLayerBytes + 4096, .size_bytes = kBlock}};
  ASSERT_TRUE(client->Get({TransferOf(1, lists)}, LeaseId::kNone, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  const std::vector<std::byte> block = PayloadOf(NumberedKey(1), kBlock);
  EXPECT_TRUE(std::equal(block.begin(), block.end(), Layer(2).begin() + 4096));
}

TEST_F(Pieces, PutsLeaveFromTheirLayersInOrder) {
  StartWithLayers();
  constexpr uint32_t kBytes = 4096;
  const std::vector<Extents> lists = OfEachLayer(kBytes, kBytes);
  FillLayers(1, kBytes, kBytes);
  ASSERT_TRUE(client->Put({TransferOf(1, lists)}, {}, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.puts[0].bytes, PayloadOf(NumberedKey(1), kLayers * kBytes));
  const std::vector<Extents> whole = {{.base_bytes = kLayerBytes, .size_bytes = kBlock}};
  const std::vector<std::byte> block = PayloadOf(NumberedKey(2), kBlock);
  std::copy(block.begin(), block.end(), Layer(1).begin());
  ASSERT_TRUE(client->Put({TransferOf(2, whole)}, {}, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(2), MissReason::kNone);
  EXPECT_EQ(node.puts[1].bytes, block);
}

TEST_F(Pieces, PutsBehindCopyFromTheirLayersWithinTheCall) {
  StartWithLayers();
  constexpr uint32_t kBytes = 4096;
  const std::vector<Extents> lists = OfEachLayer(kBytes, kBytes);
  FillLayers(1, kBytes, kBytes);
  ASSERT_TRUE(client->PutBehind({TransferOf(1, lists)}, {}, In(absl::Seconds(5))).ok());
  FillPattern(absl::MakeSpan(cache));
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.puts[0].bytes, PayloadOf(NumberedKey(1), kLayers * kBytes));
}

TEST_F(Pieces, AnExtentThatRunsIntoTheNextPieceIsRefused) {
  StartWithLayers();
  const std::vector<Extents> over = {{.size_bytes = 1},
                                     {.base_bytes = kLayerBytes - 10, .size_bytes = 11}};
  const absl::Status status =
      client->Get({TransferOf(1, over)}, LeaseId::kNone, In(absl::Seconds(5)));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("batch[0].extents[1].base_bytes: runs from one piece"));
  const std::vector<Extents> strided = {
      {.base_bytes = 0, .stride_bytes = kLayerBytes, .count = 2, .size_bytes = 1}};
  EXPECT_EQ(client->Get({TransferOf(1, strided)}, LeaseId::kNone, In(absl::Seconds(5))).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(Pieces, ThatAreNoneEmptyTooManyOrOverlapAreRefusedByName) {
  Start();
  ExpectRefused({}, "pieces: 0 given; 1 to 1024");
  ExpectRefused(std::vector(kRegionPiecesMax + 1, Layer(0)), "pieces: 1025 given");
  ExpectRefused({Layer(0), {}}, "pieces[1]: empty");
  ExpectRefused({Layer(0), Layer(1), Layer(0).subspan(kLayerBytes - 1)},
                "pieces[0]: overlaps pieces[2]");
  ExpectRefused({Layer(0), Layer(0)}, "overlaps");
}

}  // namespace
}  // namespace cairn
