// Room is made ahead of need: no put waits for a whole run to be copied to NVMe.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "cache/shard.h"
#include "cache/shard_counters.h"
#include "tests/cache/chain_key.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

constexpr uint64_t kMiB = 1u << 20;
constexpr uint64_t kCapacityBytes = 16 * kMiB;
constexpr uint32_t kRunBlocks = 32;  // from position 32 of a chain on: before it runs are shorter
constexpr uint64_t kRuns = 400;

// Notes what it is asked and given.
class NotingSink final : public VictimSink {
 public:
  void OnStored(const PutIdentity&) override {}
  void OnUsed(const BlockKey&) override {}
  bool WantsRun(const FlashBlock& victim) override {
    ++asked[victim.key.Word(0)];
    return wants;
  }
  bool Take(const FlashBlock& block, absl::Span<const std::byte>, FlashPlace* place) override {
    if (!takes) return false;
    if (block.key != block.run_key) {
      EXPECT_TRUE(taken.contains(block.parent.Word(0))) << "a tail before its head";
    }
    EXPECT_TRUE(taken.insert(block.key.Word(0)).second) << "taken twice";
    *place = {0, {0, static_cast<uint32_t>(taken.size())}, false};
    return true;
  }

  bool wants = true;
  bool takes = true;
  std::map<uint64_t, int> asked;
  std::set<uint64_t> taken;
};

class ShardAhead : public testing::Test {
 protected:
  explicit ShardAhead(uint32_t block_bytes = 4096)  // 4,096 blocks: 32 may be kept free
      : block_bytes_(block_bytes), world_({.seed = 1}), host_(world_.AddHost("10.0.0.1")) {
    shard_ = *Shard::Create({.capacity_bytes = kCapacityBytes,
                             .huge_pages = false,
                             .policy = PolicyKind::kLru,
                             .flash_bytes = 1024 * kMiB},
                            host_.clock());
    scope_ = *shard_->InternScope(1, NamespaceId{});
    shard_->SetVictimSink(&sink_);
  }

  // How many blocks went to NVMe meanwhile.
  size_t Put(uint64_t chain, uint32_t position) {
    world_.scheduler().RunFor(absl::Milliseconds(1));
    const size_t before = sink_.taken.size();
    PutIdentity identity;
    identity.scope = scope_;
    identity.key = KeyOf(chain, position);
    identity.parent = KeyOf(chain, position - 1);
    identity.position = position;
    identity.length_bytes = block_bytes_;
    const Reserved reserved = shard_->Reserve(identity);
    EXPECT_EQ(reserved.outcome, ReserveOutcome::kReserved) << chain << " " << position;
    EXPECT_EQ(shard_->Seal(reserved.block), SealOutcome::kSealed);
    return sink_.taken.size() - before;
  }
  size_t PutRun(uint64_t chain) {
    size_t most = 0;
    for (uint32_t i = 0; i < kRunBlocks; ++i) most = std::max(most, Put(chain, kRunBlocks + i));
    return most;
  }

  uint32_t block_bytes_;
  SimWorld world_;
  SimHost& host_;
  NotingSink sink_;
  std::unique_ptr<Shard> shard_;
  ScopeId scope_ = ScopeId::kNone;
};

TEST_F(ShardAhead, NoPutCopiesMoreThanAFewBlocks) {
  for (uint64_t chain = 0; chain < kRuns; ++chain) EXPECT_LE(PutRun(chain), 2u) << chain;
  const ShardCounters& counters = shard_->counters();
  EXPECT_EQ(counters.evicted_blocks_total.value(), 0u) << "all that left went to NVMe";
  EXPECT_GT(sink_.taken.size(), (kRuns - 130) * kRunBlocks);
  shard_->CheckInvariants();
}

TEST_F(ShardAhead, TheSinkIsAskedOnceForAVictim) {
  for (uint64_t chain = 0; chain < kRuns; ++chain) PutRun(chain);
  EXPECT_FALSE(sink_.asked.empty());
  for (const auto& [key, times] : sink_.asked) EXPECT_EQ(times, 1) << key;
  EXPECT_LE(sink_.asked.size(), sink_.taken.size() / kRunBlocks + 1) << "once a run";
}

TEST_F(ShardAhead, WhatIsNotWantedGoesWithoutACopy) {
  sink_.wants = false;
  for (uint64_t chain = 0; chain < kRuns; ++chain) PutRun(chain);
  EXPECT_TRUE(sink_.taken.empty());
  EXPECT_GT(shard_->counters().evicted_blocks_total.value(), 0u);
  shard_->CheckInvariants();
}

TEST_F(ShardAhead, ADriveThatTakesNoMoreCostsNoPut) {
  for (uint64_t chain = 0; chain < kRuns / 2; ++chain) PutRun(chain);
  sink_.takes = false;
  for (uint64_t chain = kRuns / 2; chain < kRuns; ++chain) PutRun(chain);
  EXPECT_GT(shard_->counters().evicted_blocks_total.value(), 0u);
  shard_->CheckInvariants();
}

// The run that is being copied is used again and stays, half of it on NVMe too.
TEST_F(ShardAhead, ARunThatIsWantedMeanwhileStays) {
  uint64_t chain = 0;
  for (; sink_.taken.size() < kRunBlocks / 2; ++chain) {
    for (uint32_t i = 0; i < kRunBlocks && sink_.taken.size() < kRunBlocks / 2; ++i) {
      Put(chain, kRunBlocks + i);
    }
  }
  const BlockKey tail = KeyOf(0, 2 * kRunBlocks - 1);
  const BlockRef held = shard_->Pin(scope_, tail);
  ASSERT_NE(held, BlockRef::kNone);
  for (; chain < kRuns; ++chain) EXPECT_LE(PutRun(chain), 2u);
  EXPECT_TRUE(shard_->InDram(held));
  shard_->Unpin(held);
  for (; chain < 2 * kRuns; ++chain) EXPECT_LE(PutRun(chain), 2u);
  EXPECT_EQ(shard_->counters().evicted_blocks_total.value(), 0u);
  shard_->CheckInvariants();
}

struct LargeBlocksAhead : ShardAhead {
  LargeBlocksAhead() : ShardAhead(64 << 10) {}  // 256 blocks
};

TEST_F(LargeBlocksAhead, WithASlabForAnotherSizeItsBlocksGoToNvme) {
  for (uint64_t chain = 0; chain < 8; ++chain) PutRun(chain);
  world_.scheduler().RunFor(absl::Minutes(10));
  block_bytes_ = 4096;
  for (uint64_t chain = 100; chain < 164; ++chain) PutRun(chain);
  EXPECT_EQ(shard_->counters().evicted_blocks_total.value(), 0u);
  for (uint64_t chain = 100; chain < 164; ++chain) {
    const BlockRef tail = shard_->Pin(scope_, KeyOf(chain, 2 * kRunBlocks - 1));
    ASSERT_NE(tail, BlockRef::kNone);
    EXPECT_TRUE(shard_->InDram(tail)) << chain;
    shard_->Unpin(tail);
  }
  shard_->CheckInvariants();
}

TEST_F(LargeBlocksAhead, KeepLessFree) {
  for (uint64_t chain = 0; chain < kRuns; ++chain) PutRun(chain);
  const uint64_t resident = shard_->counters().dram_blocks.value();
  EXPECT_GE(resident, kCapacityBytes / block_bytes_ - 2);
  EXPECT_EQ(shard_->counters().evicted_blocks_total.value(), 0u);
  shard_->CheckInvariants();
}

}  // namespace
}  // namespace cairn
