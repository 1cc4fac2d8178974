#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "cache/shard.h"
#include "cache/shard_counters.h"
#include "proto/checksum.h"
#include "tests/cache/chain_key.h"

namespace cairn {
namespace {

constexpr uint64_t kMiB = 1u << 20;
constexpr TenantId kTenant = 3;

class FixedClock final : public Clock {
 public:
  Instant Now() override { return {1'000'000'000}; }
  int64_t UnixSeconds() override { return 0; }
};

std::vector<std::byte> PayloadOf(const BlockKey& key, uint32_t length) {
  std::vector<std::byte> payload(length);
  SeededRandom random(key.Word(1));
  random.Fill(absl::MakeSpan(payload));
  return payload;
}

class WarmTest : public testing::Test {
 protected:
  WarmTest() { EXPECT_TRUE(Open(nullptr).ok()); }

  absl::Status Open(WarmShard* warm, uint64_t capacity_bytes = 32 * kMiB) {
    ShardOptions options{.capacity_bytes = capacity_bytes, .huge_pages = false, .warm = warm};
    auto made = Shard::Create(options, clock);
    if (!made.ok()) return made.status();
    shard = *std::move(made);
    scope = *shard->InternScope(kTenant, NamespaceId{});
    return absl::OkStatus();
  }
  bool Put(uint64_t chain, uint32_t position, uint32_t length) {
    PutIdentity identity;
    identity.scope = scope;
    identity.key = KeyOf(chain, position);
    if (position > 0) identity.parent = KeyOf(chain, position - 1);
    identity.position = position;
    identity.length_bytes = length;
    const auto payload = PayloadOf(identity.key, length);
    identity.checksum = MakeChecksum(identity.key, NamespaceId{}, payload);
    const Reserved reserved = shard->Reserve(identity);
    if (reserved.outcome != ReserveOutcome::kReserved) return false;
    std::memcpy(shard->arena().data() + shard->Info(reserved.block).offset_bytes, payload.data(),
                length);
    return shard->Seal(reserved.block) == SealOutcome::kSealed;
  }
  // Present, verified and byte for byte right.
  bool Holds(uint64_t chain, uint32_t position) {
    const BlockKey key = KeyOf(chain, position);
    const BlockRef block = shard->Pin(scope, key);
    if (block == BlockRef::kNone) return false;
    bool right = shard->Verify(block);
    if (right) {
      const BlockInfo info = shard->Info(block);
      const auto payload = PayloadOf(key, info.length_bytes);
      right = std::memcmp(shard->arena().data() + info.offset_bytes, payload.data(),
                          payload.size()) == 0;
    }
    shard->Unpin(block);
    return right;
  }
  WarmShard HandOver() { return *shard->HandOver(WarmHeader{}); }

  FixedClock clock;
  std::unique_ptr<Shard> shard;
  ScopeId scope = ScopeId::kNone;
};

TEST_F(WarmTest, ASuccessorHoldsWhatItsPredecessorHeld) {
  for (uint64_t chain = 0; chain < 10; ++chain) {
    const uint32_t length = chain % 2 == 0 ? 100'000 : 4096;
    for (uint32_t i = 0; i < 40; ++i) ASSERT_TRUE(Put(chain, i, length)) << chain << " " << i;
  }
  const uint64_t used = shard->counters().used_bytes.value();
  WarmShard warm = HandOver();
  shard.reset();
  ASSERT_TRUE(Open(&warm).ok());
  shard->CheckInvariants();
  EXPECT_EQ(shard->counters().adopted_blocks_total.value(), 400u);
  EXPECT_EQ(shard->counters().used_bytes.value(), used);
  for (uint64_t chain = 0; chain < 10; ++chain) {
    for (uint32_t i = 0; i < 40; ++i) EXPECT_TRUE(Holds(chain, i)) << chain << " " << i;
  }
  // And it goes on: new blocks find room beside and in place of the old ones.
  for (uint64_t chain = 100; chain < 600; ++chain) EXPECT_TRUE(Put(chain, 0, 100'000)) << chain;
  shard->CheckInvariants();
}

TEST_F(WarmTest, WhatRottedBetweenTheLivesIsNeverServed) {
  for (uint32_t i = 0; i < 8; ++i) ASSERT_TRUE(Put(1, i, 4096));
  const BlockRef block = shard->Pin(scope, KeyOf(1, 5));
  shard->arena()[shard->Info(block).offset_bytes + 17] ^= std::byte{4};
  shard->Unpin(block);
  WarmShard warm = HandOver();
  shard.reset();
  ASSERT_TRUE(Open(&warm).ok());
  EXPECT_TRUE(Holds(1, 4));
  EXPECT_FALSE(Holds(1, 5));
  EXPECT_EQ(shard->counters().quarantined_total.value(), 1u);
  EXPECT_FALSE(Holds(1, 6)) << "its head is gone";
  shard->CheckInvariants();
}

TEST_F(WarmTest, AReservedBlockIsNotHandedOver) {
  ASSERT_TRUE(Put(1, 0, 4096));
  PutIdentity identity;
  identity.scope = scope;
  identity.key = KeyOf(2, 0);
  identity.length_bytes = 4096;
  ASSERT_EQ(shard->Reserve(identity).outcome, ReserveOutcome::kReserved);
  WarmShard warm = HandOver();
  shard.reset();
  ASSERT_TRUE(Open(&warm).ok());
  EXPECT_EQ(shard->counters().adopted_blocks_total.value(), 1u);
}

TEST_F(WarmTest, AnImageInDoubtIsRefusedWhole) {
  for (uint32_t i = 0; i < 8; ++i) ASSERT_TRUE(Put(1, i, 4096));
  const WarmShard good = HandOver();
  for (size_t at = 0; at < good.image.size(); at += 7) {
    WarmShard bad = HandOver();
    bad.image[at] = static_cast<char>(bad.image[at] ^ 1);
    EXPECT_FALSE(Open(&bad).ok()) << at;
  }
  WarmShard truncated = HandOver();
  truncated.image.resize(truncated.image.size() - 1);
  EXPECT_FALSE(Open(&truncated).ok());
}

TEST_F(WarmTest, AnotherCapacityIsRefused) {
  ASSERT_TRUE(Put(1, 0, 4096));
  WarmShard warm = HandOver();
  EXPECT_FALSE(Open(&warm, 64 * kMiB).ok());
}

}  // namespace
}  // namespace cairn
