#include "proto/checksum.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

class ChecksumTest : public testing::Test {
 protected:
  ChecksumTest() {
    random_.Fill(absl::MakeSpan(key_.bytes));
    random_.Fill(absl::MakeSpan(ns_.bytes));
  }

  std::vector<std::byte> Payload(size_t bytes) {
    std::vector<std::byte> payload(bytes);
    random_.Fill(absl::MakeSpan(payload));
    return payload;
  }

  SeededRandom random_{21};
  BlockKey key_;
  NamespaceId ns_;
};

TEST_F(ChecksumTest, IsTheSameInAnyPieces) {
  for (const uint32_t bytes : {1u, 35u, 204u, 205u, 256u, 988u, 4096u, 70001u}) {
    const std::vector<std::byte> payload = Payload(bytes);
    const Checksum whole = MakeChecksum(key_, ns_, payload);
    for (int round = 0; round < 20; ++round) {
      ChecksumStream stream(key_, ns_, bytes);
      absl::Span<const std::byte> rest(payload);
      while (!rest.empty()) {
        const size_t piece = 1 + random_.Below(std::min<size_t>(rest.size(), 5000));
        stream.Update(rest.subspan(0, piece));
        rest.remove_prefix(piece);
      }
      EXPECT_EQ(stream.Finish(), whole) << bytes;
    }
  }
}

TEST_F(ChecksumTest, IgnoresEmptyPieces) {
  const std::vector<std::byte> payload = Payload(100);
  ChecksumStream stream(key_, ns_, 100);
  stream.Update({});
  stream.Update(payload);
  stream.Update({});
  EXPECT_EQ(stream.Finish(), MakeChecksum(key_, ns_, payload));
}

TEST_F(ChecksumTest, DoesNotDependOnAlignment) {
  const std::vector<std::byte> payload = Payload(4096);
  const Checksum expected = MakeChecksum(key_, ns_, payload);
  std::vector<std::byte> shifted(4096 + 64);
  for (size_t shift = 0; shift < 64; ++shift) {
    std::copy(payload.begin(), payload.end(), shifted.begin() + shift);
    EXPECT_EQ(MakeChecksum(key_, ns_, absl::MakeSpan(shifted).subspan(shift, 4096)), expected);
  }
}

TEST_F(ChecksumTest, ChangesWithEveryBitOfPayloadKeyAndNamespace) {
  std::vector<std::byte> payload = Payload(512);
  std::set<Checksum> seen = {MakeChecksum(key_, ns_, payload)};
  for (size_t bit = 0; bit < 8 * payload.size(); ++bit) {
    payload[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(seen.insert(MakeChecksum(key_, ns_, payload)).second) << "payload bit " << bit;
    payload[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  for (size_t bit = 0; bit < 128; ++bit) {
    BlockKey key = key_;
    key.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(seen.insert(MakeChecksum(key, ns_, payload)).second) << "key bit " << bit;
    NamespaceId ns = ns_;
    ns.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(seen.insert(MakeChecksum(key_, ns, payload)).second) << "namespace bit " << bit;
  }
}

TEST_F(ChecksumTest, ChangesWithTheLengthOfAnAllZeroPayload) {
  const std::vector<std::byte> zeros(300);
  std::set<Checksum> seen;
  for (size_t bytes = 0; bytes <= zeros.size(); ++bytes) {
    EXPECT_TRUE(
        seen.insert(MakeChecksum(key_, ns_, absl::MakeSpan(zeros).subspan(0, bytes))).second)
        << bytes;
  }
}

TEST_F(ChecksumTest, CopyOfAStreamGoesItsOwnWay) {
  const std::vector<std::byte> payload = Payload(1000);
  const absl::Span<const std::byte> bytes(payload);
  ChecksumStream stream(key_, ns_, 1000);
  stream.Update(bytes.subspan(0, 500));
  ChecksumStream copy = stream;
  copy.Update(bytes.subspan(0, 500));
  stream.Update(bytes.subspan(500));
  EXPECT_EQ(stream.Finish(), MakeChecksum(key_, ns_, payload));
  EXPECT_NE(copy.Finish(), stream.Finish());
}

TEST_F(ChecksumTest, RefusesAnotherLengthThanDeclared) {
  const std::vector<std::byte> payload = Payload(11);
  ChecksumStream stream(key_, ns_, 10);
  EXPECT_DEATH(stream.Finish(), "remaining_bytes_");
  EXPECT_DEATH(stream.Update(payload), "remaining_bytes_");
}

}  // namespace
}  // namespace cairn
