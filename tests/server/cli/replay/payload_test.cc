#include "server/cli/replay/payload.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

BlockKey KeyOf(unsigned char seed) {
  BlockKey key;
  for (size_t i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<std::byte>(seed + i);
  return key;
}

std::vector<std::byte> PayloadOf(const BlockKey& key, size_t bytes) {
  std::vector<std::byte> payload(bytes);
  FillPayload(key, absl::MakeSpan(payload));
  return payload;
}

constexpr size_t kLengths[] = {0, 1, 7, 4095, 4096, 4097, 64 << 10, 100003};

TEST(Payload, OfItsOwnKeyHasNoWrongByte) {
  for (const size_t bytes : kLengths) {
    EXPECT_EQ(CountWrongBytes(KeyOf(1), PayloadOf(KeyOf(1), bytes)), 0u) << bytes;
  }
}

TEST(Payload, EveryFlippedByteIsCounted) {
  for (const size_t bytes : {size_t{1}, size_t{4097}, size_t{100003}}) {
    std::vector<std::byte> payload = PayloadOf(KeyOf(1), bytes);
    payload.back() ^= std::byte{1};
    EXPECT_EQ(CountWrongBytes(KeyOf(1), payload), 1u) << bytes;
  }
  std::vector<std::byte> payload = PayloadOf(KeyOf(1), 64 << 10);
  for (std::byte& byte : payload) byte ^= std::byte{0x80};
  EXPECT_EQ(CountWrongBytes(KeyOf(1), payload), payload.size());
}

TEST(Payload, OfAnotherKeyOrNoneIsWrongAlmostEverywhere) {
  const std::vector<std::byte> other = PayloadOf(KeyOf(2), 64 << 10);
  EXPECT_GT(CountWrongBytes(KeyOf(1), other), other.size() * 99 / 100);
  const std::vector<std::byte> zeros(64 << 10);
  EXPECT_GT(CountWrongBytes(KeyOf(1), zeros), zeros.size() * 99 / 100);
}

TEST(Payload, OfAnotherPlaceInTheBlockIsWrong) {
  // A whole piece of the generator shifted: a chunk that landed at the wrong offset.
  std::vector<std::byte> payload = PayloadOf(KeyOf(1), 64 << 10);
  std::memmove(payload.data(), payload.data() + 4096, 4096);
  EXPECT_GT(CountWrongBytes(KeyOf(1), payload), 4000u);
}

TEST(Payload, AShorterBlockIsTheHeadOfALongerOne) {
  const std::vector<std::byte> whole = PayloadOf(KeyOf(3), 100003);
  const std::vector<std::byte> head = PayloadOf(KeyOf(3), 5000);
  EXPECT_TRUE(std::equal(head.begin(), head.end(), whole.begin()));
}

}  // namespace
}  // namespace cairn
