#include "cache/disk/record_codec.h"

#include <openssl/sha.h>

#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "tests/cache/disk/log_records.h"

namespace cairn {
namespace {

using log_format::Entry;
using log_format::kCipherAes256Gcm;
using Bytes = std::vector<std::byte>;

DiskKey KeyOf(uint8_t value) {
  DiskKey key;
  key.fill(static_cast<std::byte>(value));
  return key;
}

RecordPlace PlaceOf(uint64_t generation = 5, uint32_t sector = 3) {
  RecordPlace place;
  place.log.bytes.fill(std::byte{1});
  place.generation = generation;
  place.sector = sector;
  return place;
}

Bytes Encoded(RecordCodec& codec, const Entry& entry, const RecordPlace& place) {
  Bytes stored(entry.stored_bytes());
  codec.Encode(entry, place, PayloadOf(entry.key, entry.length), absl::MakeSpan(stored));
  return stored;
}

bool Decodes(RecordCodec& codec, const Entry& entry, const RecordPlace& place, Bytes stored) {
  return codec.Decode(entry, place, absl::MakeSpan(stored));
}

TEST(RecordCodec, GivesBackWhatItTook) {
  RecordCodec codec(KeyOf(1));
  EXPECT_EQ(codec.cipher(), kCipherAes256Gcm);
  for (const uint32_t length : {1u, 15u, 16u, 4080u, 4096u, 1u << 20}) {
    const Entry entry = EntryOf(length, length, kCipherAes256Gcm);
    Bytes stored = Encoded(codec, entry, PlaceOf());
    ASSERT_EQ(stored.size(), length + 16);
    const Bytes payload = PayloadOf(entry.key, length);
    if (length > 8) {  // no run of the payload is to be seen
      EXPECT_EQ(std::search(stored.begin(), stored.end(), payload.begin(), payload.begin() + 8),
                stored.end());
    }
    ASSERT_TRUE(codec.Decode(entry, PlaceOf(), absl::MakeSpan(stored)));
    EXPECT_EQ(std::memcmp(stored.data(), payload.data(), length), 0);
  }
}

TEST(RecordCodec, WithoutAKeyNothingIsEncryptedAndNothingEncryptedOpens) {
  RecordCodec codec(std::nullopt), with_key(KeyOf(1));
  EXPECT_EQ(codec.cipher(), log_format::kCipherNone);
  const Entry plain = EntryOf(1, 100);
  EXPECT_EQ(Encoded(codec, plain, PlaceOf()), PayloadOf(plain.key, 100));
  const Entry entry = EntryOf(1, 100, kCipherAes256Gcm);
  const Bytes stored = Encoded(with_key, entry, PlaceOf());
  EXPECT_FALSE(Decodes(codec, entry, PlaceOf(), stored));
  // What was written before there was a key still reads.
  EXPECT_TRUE(Decodes(with_key, plain, PlaceOf(), PayloadOf(plain.key, 100)));
}

TEST(RecordCodec, ARecordOpensUnderItsKeyOnly) {
  RecordCodec codec(KeyOf(1)), other(KeyOf(2));
  const Entry entry = EntryOf(1, 100, kCipherAes256Gcm);
  EXPECT_FALSE(Decodes(other, entry, PlaceOf(), Encoded(codec, entry, PlaceOf())));
}

// P1: right bytes in the wrong place are wrong bytes.
TEST(RecordCodec, ARecordThatWasMovedDoesNotOpen) {
  RecordCodec codec(KeyOf(1));
  const Entry entry = EntryOf(1, 100, kCipherAes256Gcm);
  const Bytes stored = Encoded(codec, entry, PlaceOf());
  EXPECT_TRUE(Decodes(codec, entry, PlaceOf(), stored));
  EXPECT_FALSE(Decodes(codec, entry, PlaceOf(6, 3), stored));
  EXPECT_FALSE(Decodes(codec, entry, PlaceOf(5, 4), stored));
  RecordPlace other_log = PlaceOf();
  other_log.log.bytes[15] = std::byte{2};
  EXPECT_FALSE(Decodes(codec, entry, other_log, stored));
  const std::function<void(Entry&)> changes[] = {
      [](Entry& e) { e.key.bytes[0] ^= std::byte{1}; },
      [](Entry& e) { e.ns.bytes[15] ^= std::byte{1}; },
      [](Entry& e) { e.tenant = e.tenant + 1; },
  };
  for (const auto& change : changes) {
    Entry changed = entry;
    change(changed);
    EXPECT_FALSE(Decodes(codec, changed, PlaceOf(), stored));
  }
}

TEST(RecordCodec, NoFlippedBitOpens) {
  RecordCodec codec(KeyOf(1));
  const Entry entry = EntryOf(1, 100, kCipherAes256Gcm);
  Bytes stored = Encoded(codec, entry, PlaceOf());
  for (size_t bit = 0; bit < 8 * stored.size(); ++bit) {
    stored[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(Decodes(codec, entry, PlaceOf(), stored)) << bit;
    stored[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
}

TEST(RecordCodec, SameBytesLookDifferentInEveryPlaceAndForEveryTenant) {
  RecordCodec codec(KeyOf(1));
  Entry entry = EntryOf(1, 100, kCipherAes256Gcm);
  const Bytes first = Encoded(codec, entry, PlaceOf());
  EXPECT_NE(Encoded(codec, entry, PlaceOf(5, 4)), first);
  EXPECT_NE(Encoded(codec, entry, PlaceOf(6, 3)), first);
  entry.tenant = 9;
  EXPECT_NE(Encoded(codec, entry, PlaceOf()), first);
}

TEST(RecordCodec, TheChecksumHasTheLastWord) {
  for (const auto& key : {std::optional<DiskKey>(), std::optional<DiskKey>(KeyOf(1))}) {
    RecordCodec codec(key);
    LogGeometry geometry;
    geometry.log = PlaceOf().log;
    Entry entry = EntryOf(1, 5000, codec.cipher());
    entry.sector = 3;
    const Bytes stored = Encoded(codec, entry, PlaceOf());
    const auto verify = [&](const Entry& with, Bytes bytes) {
      return codec.Verify(with, geometry, 5, 0, absl::MakeSpan(bytes));
    };
    EXPECT_TRUE(verify(entry, stored));
    Entry other = entry;
    other.checksum.bytes[3] ^= std::byte{1};
    EXPECT_FALSE(verify(other, stored));
    Bytes flipped = stored;
    flipped[4999] ^= std::byte{1};
    EXPECT_FALSE(verify(entry, flipped));
    other = entry;
    other.key.bytes[0] ^= std::byte{1};
    EXPECT_FALSE(verify(other, stored));
  }
}

template <typename T>
T Fixed(const nlohmann::json& hex) {
  T value;
  EXPECT_TRUE(
      HexDecode(hex.get<std::string>(), {reinterpret_cast<std::byte*>(&value), sizeof(value)})
          .ok());
  return value;
}

// Made by another implementation (Python's cryptography).
TEST(RecordCodec, EncryptsAsTheOtherImplementationDoes) {
  std::ifstream file(std::string(CAIRN_TEST_VECTORS) + "/records.json");
  const nlohmann::json vectors = nlohmann::json::parse(file);
  ASSERT_GE(vectors.size(), 7u);
  for (const nlohmann::json& vector : vectors) {
    RecordCodec codec(Fixed<DiskKey>(vector["node_key"]));
    RecordPlace place;
    place.log = Fixed<log_format::LogId>(vector["log"]);
    place.generation = vector["generation"];
    place.sector = vector["sector"];
    Entry entry;
    entry.key = Fixed<BlockKey>(vector["key"]);
    entry.ns = Fixed<NamespaceId>(vector["namespace_id"]);
    entry.tenant = vector["tenant"].get<uint32_t>();
    entry.length = vector["payload_bytes"].get<uint32_t>();
    entry.cipher = kCipherAes256Gcm;
    Bytes payload(entry.length), stored(entry.stored_bytes());
    for (size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<std::byte>(131 * i + i / 256);
    }
    codec.Encode(entry, place, payload, absl::MakeSpan(stored));
    std::array<std::byte, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(stored.data()), stored.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    EXPECT_EQ(HexEncode(digest), vector["stored_sha256"].get<std::string>());
    const size_t shown = std::min<size_t>(stored.size(), 32);
    EXPECT_EQ(HexEncode(absl::MakeSpan(stored).last(shown)),
              vector["stored_end"].get<std::string>());
    ASSERT_TRUE(codec.Decode(entry, place, absl::MakeSpan(stored)));
    stored.resize(payload.size());
    EXPECT_EQ(stored, payload);
  }
}

}  // namespace
}  // namespace cairn
