#include "cache/shard.h"

#include <cstring>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "cache/entry.h"
#include "cache/shard_counters.h"
#include "tests/cache/chain_key.h"

namespace cairn {
namespace {

constexpr uint64_t kMiB = 1u << 20;

class StepClock final : public Clock {
 public:
  Instant Now() override { return {now_ns}; }
  int64_t UnixSeconds() override { return 0; }
  int64_t now_ns = 0;
};

Checksum Sum(uint8_t value) {
  Checksum sum;
  sum.bytes.fill(std::byte{value});
  return sum;
}

class ShardTest : public testing::Test {
 protected:
  explicit ShardTest(uint64_t capacity_bytes = 32 * kMiB,
                     PolicyKind policy = PolicyKind::kLearned) {
    shard_ =
        Shard::Create({.capacity_bytes = capacity_bytes, .reactor = 3, .policy = policy}, clock_)
            .value();
    scope_ = shard_->InternScope(1, NamespaceId{}).value();
  }

  PutIdentity Identity(uint64_t chain, uint32_t position, uint32_t length = 256 << 10) const {
    PutIdentity identity;
    identity.scope = scope_;
    identity.key = KeyOf(chain, position);
    if (position > 0) identity.parent = KeyOf(chain, position - 1);
    identity.position = position;
    identity.length_bytes = length;
    identity.checksum = Sum(7);
    return identity;
  }

  bool Put(uint64_t chain, uint32_t position, uint32_t length = 256 << 10) {
    const Reserved reserved = shard_->Reserve(Identity(chain, position, length));
    if (reserved.outcome != ReserveOutcome::kReserved) return false;
    const SealOutcome sealed = shard_->Seal(reserved.block);
    if (sealed == SealOutcome::kParentPending) shard_->Abort(reserved.block);
    return sealed == SealOutcome::kSealed;
  }

  bool Has(uint64_t chain, uint32_t position) const {
    const BlockKey key = KeyOf(chain, position);
    BlockRef found;
    shard_->LookupBatch(scope_, {&key, 1}, {&found, 1});
    return found != BlockRef::kNone;
  }

  absl::Span<std::byte> Slot(BlockRef block) const {
    const BlockInfo info = shard_->Info(block);
    return {shard_->arena().data() + info.offset_bytes, info.length_bytes};
  }

  StepClock clock_;
  std::unique_ptr<Shard> shard_;
  ScopeId scope_;
};

TEST_F(ShardTest, ABlockIsInvisibleUntilSealed) {
  const Reserved reserved = shard_->Reserve(Identity(1, 0));
  ASSERT_EQ(reserved.outcome, ReserveOutcome::kReserved);
  EXPECT_FALSE(Has(1, 0));
  EXPECT_EQ(shard_->Pin(scope_, KeyOf(1, 0)), BlockRef::kNone);
  EXPECT_EQ(shard_->Seal(reserved.block), SealOutcome::kSealed);
  EXPECT_TRUE(Has(1, 0));
  shard_->CheckInvariants();
}

TEST_F(ShardTest, AnAbortedReservationLeavesNothing) {
  const Reserved reserved = shard_->Reserve(Identity(1, 0));
  shard_->Abort(reserved.block);
  EXPECT_EQ(shard_->counters().used_bytes.value(), 0u);
  EXPECT_TRUE(Put(1, 0));
  shard_->CheckInvariants();
}

TEST_F(ShardTest, TheFirstSealedWinsAndOtherBytesRaiseAnAlarm) {
  const Reserved first = shard_->Reserve(Identity(1, 0));
  PutIdentity other = Identity(1, 0);
  other.checksum = Sum(8);
  const Reserved second = shard_->Reserve(other);
  const Reserved third = shard_->Reserve(Identity(1, 0));
  ASSERT_EQ(second.outcome, ReserveOutcome::kReserved);
  EXPECT_EQ(shard_->Seal(first.block), SealOutcome::kSealed);
  EXPECT_EQ(shard_->Seal(second.block), SealOutcome::kConflict);
  EXPECT_EQ(shard_->Seal(third.block), SealOutcome::kPresent);
  EXPECT_EQ(shard_->Reserve(other).outcome, ReserveOutcome::kConflict);
  EXPECT_EQ(shard_->Reserve(Identity(1, 0)).outcome, ReserveOutcome::kPresent);
  EXPECT_EQ(shard_->counters().conflicts_total.value(), 2u);
  shard_->CheckInvariants();
}

TEST_F(ShardTest, AnotherScopeSeesNothing) {
  ASSERT_TRUE(Put(1, 0));
  const ScopeId tenant = shard_->InternScope(2, NamespaceId{}).value();
  NamespaceId ns;
  ns.bytes[0] = std::byte{1};
  const ScopeId name_space = shard_->InternScope(1, ns).value();
  EXPECT_EQ(shard_->Pin(tenant, KeyOf(1, 0)), BlockRef::kNone);
  EXPECT_EQ(shard_->Pin(name_space, KeyOf(1, 0)), BlockRef::kNone);
  EXPECT_NE(shard_->Pin(scope_, KeyOf(1, 0)), BlockRef::kNone);
}

TEST_F(ShardTest, PinnedBytesStayUnderPressure) {
  ASSERT_TRUE(Put(1, 0));
  const BlockRef pinned = shard_->Pin(scope_, KeyOf(1, 0));
  std::memset(Slot(pinned).data(), 0x5a, Slot(pinned).size());
  for (uint64_t chain = 100; chain < 400; ++chain) {
    const Reserved reserved = shard_->Reserve(Identity(chain, 0));
    ASSERT_EQ(reserved.outcome, ReserveOutcome::kReserved);
    std::memset(Slot(reserved.block).data(), 0xff, Slot(reserved.block).size());
    ASSERT_EQ(shard_->Seal(reserved.block), SealOutcome::kSealed);
  }
  for (const std::byte b : Slot(pinned)) ASSERT_EQ(b, std::byte{0x5a});
  EXPECT_TRUE(Has(1, 0));
  shard_->Unpin(pinned);
  shard_->CheckInvariants();
}

TEST_F(ShardTest, FullOfPinsItRefusesAndNeverGrows) {
  std::vector<BlockRef> pins;
  uint64_t chain = 0;
  for (; Put(chain, 0, kMiB); ++chain) pins.push_back(shard_->Pin(scope_, KeyOf(chain, 0)));
  EXPECT_EQ(pins.size(), 32u);
  EXPECT_EQ(shard_->Reserve(Identity(chain, 0, kMiB)).outcome, ReserveOutcome::kNoCapacity);
  EXPECT_EQ(shard_->Reserve(Identity(chain, 0, 4096)).outcome, ReserveOutcome::kNoCapacity);
  for (const BlockRef pin : pins) shard_->Unpin(pin);
  EXPECT_TRUE(Put(chain, 0, kMiB));
  EXPECT_TRUE(Put(chain + 1, 0, 4096)) << "a slab must change its class";
  shard_->CheckInvariants();
}

TEST_F(ShardTest, ATailNeedsItsHead) {
  EXPECT_TRUE(Put(1, 2)) << "position 2 starts a run";
  EXPECT_TRUE(Put(1, 3));
  EXPECT_EQ(shard_->Reserve(Identity(2, 3)).outcome, ReserveOutcome::kParentAbsent);
}

TEST_F(ShardTest, ATailMayLandBeforeItsHead) {
  const Reserved head = shard_->Reserve(Identity(1, 4));
  const Reserved tail = shard_->Reserve(Identity(1, 5));
  ASSERT_EQ(tail.outcome, ReserveOutcome::kReserved);
  EXPECT_EQ(shard_->Seal(tail.block), SealOutcome::kParentPending);
  EXPECT_EQ(shard_->Seal(head.block), SealOutcome::kSealed);
  EXPECT_EQ(shard_->Seal(tail.block), SealOutcome::kSealed);
  const Reserved lost_head = shard_->Reserve(Identity(2, 4));
  const Reserved orphan = shard_->Reserve(Identity(2, 5));
  shard_->Abort(lost_head.block);
  EXPECT_EQ(shard_->Seal(orphan.block), SealOutcome::kParentAbsent);
  shard_->CheckInvariants();
}

TEST_F(ShardTest, TailsGoBeforeHeads) {
  for (uint32_t position = 32; position < 64; ++position) ASSERT_TRUE(Put(1, position));
  for (uint64_t chain = 100; chain < 112 + 96; ++chain) ASSERT_TRUE(Put(chain, 0));
  bool gone = false;
  for (uint32_t position = 32; position < 64; ++position) {
    EXPECT_FALSE(gone && Has(1, position)) << position;
    gone = gone || !Has(1, position);
  }
  EXPECT_TRUE(gone);
  shard_->CheckInvariants();
}

TEST_F(ShardTest, WhatTheEngineSaysOfABlockDecidesWhatGoes) {
  const auto put = [this](uint64_t chain, ReturnHint hint) {
    PutIdentity identity = Identity(chain, 0, kMiB);
    identity.hint = hint;
    const Reserved reserved = shard_->Reserve(identity);
    return reserved.outcome == ReserveOutcome::kReserved &&
           shard_->Seal(reserved.block) == SealOutcome::kSealed;
  };
  ASSERT_TRUE(put(1, ReturnHint::kWillReturn));
  ASSERT_TRUE(put(2, ReturnHint::kNone));
  for (uint64_t chain = 3; chain < 33; ++chain) {
    clock_.now_ns += 1'000'000'000;
    ASSERT_TRUE(put(chain, chain == 20 ? ReturnHint::kOneOff : ReturnHint::kNone));
  }
  clock_.now_ns += 60'000'000'000;
  ASSERT_TRUE(put(100, ReturnHint::kNone));
  EXPECT_FALSE(Has(20, 0)) << "one-off, though younger than most";
  ASSERT_TRUE(put(101, ReturnHint::kNone));
  EXPECT_FALSE(Has(2, 0)) << "the oldest without a hint";
  EXPECT_TRUE(Has(1, 0)) << "will return";
  shard_->CheckInvariants();
}

TEST_F(ShardTest, QuarantineTakesTheDescendantsToo) {
  for (uint32_t position = 8; position < 16; ++position) ASSERT_TRUE(Put(1, position));
  const BlockRef bad = shard_->Pin(scope_, KeyOf(1, 10));
  shard_->Quarantine(bad);
  for (uint32_t position = 8; position < 16; ++position) {
    EXPECT_EQ(Has(1, position), position < 10) << position;
  }
  const uint64_t before = shard_->counters().used_bytes.value();
  shard_->Unpin(bad);
  EXPECT_EQ(shard_->counters().used_bytes.value(), before - (256 << 10));
  shard_->CheckInvariants();
}

TEST_F(ShardTest, SnapshotAndDeltasTellTheContent) {
  for (uint64_t chain = 0; chain < 300; ++chain) ASSERT_TRUE(Put(chain, 0));
  std::set<BlockKey> told;
  std::vector<InventoryChange> changes(64);
  bool lost = false;
  while (const size_t count = shard_->TakeChanges(absl::MakeSpan(changes), &lost)) {
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(changes[i].reactor, 3);
      EXPECT_EQ(changes[i].tenant, 1u);
      changes[i].change == kInventoryAdded ? void(told.insert(changes[i].key))
                                           : void(told.erase(changes[i].key));
    }
  }
  EXPECT_FALSE(lost);
  std::set<BlockKey> snapshot;
  uint64_t cursor = 0;
  while (const size_t count = shard_->Snapshot(&cursor, absl::MakeSpan(changes))) {
    for (size_t i = 0; i < count; ++i) snapshot.insert(changes[i].key);
  }
  EXPECT_EQ(told, snapshot);
  EXPECT_EQ(told.size(), shard_->counters().blocks.value());
}

TEST_F(ShardTest, AReaderThatFallsBehindIsTold) {
  for (uint64_t chain = 0; chain < 40'000; ++chain) ASSERT_TRUE(Put(chain, 0));
  std::vector<InventoryChange> changes(64);
  bool lost = false;
  shard_->TakeChanges(absl::MakeSpan(changes), &lost);
  EXPECT_TRUE(lost);
}

// Random operations by policy and seed, against sets of what must be there.
class ShardProperty : public ShardTest,
                      public testing::WithParamInterface<std::tuple<PolicyKind, uint64_t>> {
 protected:
  ShardProperty() : ShardTest(16 * kMiB, std::get<PolicyKind>(GetParam())) {}
};

TEST_P(ShardProperty, HoldsItsInvariantsUnderRandomUse) {
  SeededRandom random(std::get<uint64_t>(GetParam()));
  std::vector<BlockRef> pins;
  std::vector<BlockRef> reserved;
  for (int step = 0; step < 4000; ++step) {
    clock_.now_ns += static_cast<int64_t>(random.Below(400'000'000));
    const uint64_t chain = random.Below(40);
    const auto position = static_cast<uint32_t>(random.Below(70));
    const uint32_t lengths[] = {4096, 100'000, 256 << 10, 1 << 20};
    switch (random.Below(7)) {
      case 0:
      case 1:
        Put(chain, position, lengths[chain % 4]);
        break;
      case 2: {
        const Reserved made = shard_->Reserve(Identity(chain, position, lengths[chain % 4]));
        if (made.outcome == ReserveOutcome::kReserved) reserved.push_back(made.block);
        break;
      }
      case 3:
        if (reserved.empty()) break;
        if (shard_->Seal(reserved.back()) != SealOutcome::kParentPending) reserved.pop_back();
        break;
      case 4: {
        const BlockRef pin = shard_->Pin(scope_, KeyOf(chain, position));
        if (pin != BlockRef::kNone) pins.push_back(pin);
        break;
      }
      case 5:
        if (pins.empty()) break;
        std::swap(pins[random.Below(pins.size())], pins.back());
        shard_->Unpin(pins.back());
        pins.pop_back();
        break;
      case 6:
        if (random.Below(10) == 0 && !pins.empty()) shard_->Quarantine(pins.back());
        if (random.Below(5) == 0 && !reserved.empty()) {
          shard_->Abort(reserved.back());
          reserved.pop_back();
        }
        break;
    }
    if (step % 16 == 0) shard_->CheckInvariants();
  }
  for (const BlockRef pin : pins) shard_->Unpin(pin);
  for (const BlockRef block : reserved) shard_->Abort(block);
  shard_->EvictAll();
  shard_->CheckInvariants();
  EXPECT_EQ(shard_->counters().used_bytes.value(), 0u);
  EXPECT_EQ(shard_->counters().pins.value(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ShardProperty,
                         testing::Combine(testing::Values(PolicyKind::kLru, PolicyKind::kS3Fifo,
                                                          PolicyKind::kLearned),
                                          testing::Range<uint64_t>(1, 21)));

// A model whose blocks have another size comes to a node that is full.
class ShardSizes : public ShardTest, public testing::WithParamInterface<PolicyKind> {
 protected:
  static constexpr uint32_t kSmall = 64 << 10;
  static constexpr uint32_t kLarge = 1 << 20;
  static constexpr uint64_t kOther = 1'000'000;  // chains of small blocks

  ShardSizes() : ShardTest(64 * kMiB, GetParam()) {}

  void Pass(absl::Duration time) { clock_.now_ns += absl::ToInt64Nanoseconds(time); }

  size_t Count(uint64_t first_chain, uint64_t chains) const {
    size_t found = 0;
    for (uint64_t i = 0; i < chains; ++i) found += Has(first_chain + i, 0) ? 1 : 0;
    return found;
  }

  void Use(uint64_t chain) {
    const BlockRef pin = shard_->Pin(scope_, KeyOf(chain, 0));
    if (pin != BlockRef::kNone) shard_->Unpin(pin);
  }
};

TEST_P(ShardSizes, WhatNobodyAsksForMakesRoomForBlocksOfAnotherSize) {
  for (uint64_t chain = 0; chain < 64; ++chain) ASSERT_TRUE(Put(chain, 0, kLarge));
  Pass(absl::Minutes(10));
  for (uint64_t i = 0; i < 2000; ++i) {
    ASSERT_TRUE(Put(kOther + i, 0, kSmall));
    Pass(absl::Milliseconds(50));
  }
  EXPECT_EQ(Count(kOther + 2000 - 768, 768), 768u) << "48 of 64 MiB";
  shard_->CheckInvariants();
}

TEST_P(ShardSizes, WhatIsUsedStaysThoughBlocksOfAnotherSizeStreamBy) {
  for (uint64_t chain = 0; chain < 32; ++chain) ASSERT_TRUE(Put(chain, 0, kLarge));
  for (uint64_t i = 0; i < 4000; ++i) {
    Use(i % 32);
    ASSERT_TRUE(Put(kOther + i, 0, kSmall));
    Pass(absl::Milliseconds(50));
  }
  EXPECT_EQ(Count(0, 32), 32u);
  shard_->CheckInvariants();
}

TEST_P(ShardSizes, ClassesOfEqualUseLeaveEachOtherAlone) {
  uint64_t stored = 0;
  const auto put_both = [&] {
    ASSERT_TRUE(Put(stored, 0, kLarge));
    for (uint64_t i = 0; i < 16; ++i) ASSERT_TRUE(Put(kOther + stored * 16 + i, 0, kSmall));
    ++stored;
    Pass(absl::Seconds(1));
  };
  while (stored < 200) put_both();
  const size_t large = Count(0, stored);
  const size_t small = Count(kOther, stored * 16);
  while (stored < 600) put_both();
  EXPECT_EQ(Count(0, stored), large);
  EXPECT_EQ(Count(kOther, stored * 16), small);
}

TEST_P(ShardSizes, ASlabWithAPinStaysWhole) {
  std::vector<BlockRef> pins;
  for (uint64_t chain = 0; chain < 60; ++chain) {
    ASSERT_TRUE(Put(chain, 0, kLarge));
    if (chain % 4 == 0) pins.push_back(shard_->Pin(scope_, KeyOf(chain, 0)));
  }
  Pass(absl::Minutes(10));
  for (uint64_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(Put(kOther + i, 0, kSmall));
    Pass(absl::Milliseconds(50));
  }
  EXPECT_EQ(Count(0, 60), 60u);
  for (const BlockRef pin : pins) shard_->Unpin(pin);
}

// A size without a block of its own to evict.
TEST_P(ShardSizes, TheFirstBlockOfAnotherSizeTakesTheColdestSlab) {
  for (uint64_t chain = 0; chain < 64; ++chain) ASSERT_TRUE(Put(chain, 0, kLarge));
  for (int minute = 0; minute < 10; ++minute) {
    Pass(absl::Minutes(1));
    for (uint64_t chain = 0; chain < 32; ++chain) Use(chain);
  }
  ASSERT_TRUE(Put(kOther, 0, kSmall));
  EXPECT_EQ(Count(0, 32), 32u);
  EXPECT_LT(Count(32, 32), 32u);
  shard_->CheckInvariants();
}

TEST_P(ShardSizes, ASearchForASlabInVainIsNotMadeAgainForEachPut) {
  constexpr uint64_t kBlocks = 65'536;  // so that a search takes milliseconds
  constexpr uint32_t kTiny = 4096;
  shard_ = Shard::Create({.capacity_bytes = kBlocks * kTiny, .policy = GetParam()}, clock_).value();
  scope_ = shard_->InternScope(1, NamespaceId{}).value();
  std::vector<BlockRef> pins;
  for (uint64_t chain = 0; chain < kBlocks; ++chain) {
    ASSERT_TRUE(Put(chain, 0, kTiny));
    pins.push_back(shard_->Pin(scope_, KeyOf(chain, 0)));
  }
  EXPECT_FALSE(Put(kOther, 0, kSmall));
  for (const BlockRef pin : pins) shard_->Unpin(pin);
  EXPECT_FALSE(Put(kOther, 0, kSmall)) << "searched again at once";
  Pass(absl::Seconds(1));
  EXPECT_TRUE(Put(kOther, 0, kSmall));
  shard_->CheckInvariants();
}

INSTANTIATE_TEST_SUITE_P(Policies, ShardSizes,
                         testing::Values(PolicyKind::kLru, PolicyKind::kS3Fifo,
                                         PolicyKind::kLearned));

TEST(ShardOptions, ACapacityOutOfRangeNamesFieldAndRemedy) {
  StepClock clock;
  const auto shard = Shard::Create({.capacity_bytes = 4096}, clock);
  ASSERT_TRUE(absl::IsInvalidArgument(shard.status()));
  EXPECT_NE(shard.status().message().find("dram_bytes: 4096 per reactor"), absl::string_view::npos);
}

TEST(ShardIndex, CostsAtMost64BytesPerBlock) {
  // 4 bytes a cell at 1.25 cells an entry.
  EXPECT_LE(sizeof(Entry) + 5 + TouchTimes::kStampBits / 8, 64u);
}

}  // namespace
}  // namespace cairn
