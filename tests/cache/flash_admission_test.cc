// What the NVMe tier writes of that which leaves DRAM, on simulated drives over simulated days.
#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "cache/flash_tier.h"
#include "proto/checksum.h"
#include "tests/cache/chain_key.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

constexpr uint64_t kMiB = 1u << 20;
constexpr uint32_t kBlockBytes = 64 << 10;
constexpr uint64_t kDramBytes = 16 * kMiB;    // 256 blocks
constexpr uint64_t kSegmentBytes = 4 * kMiB;  // 63 blocks
constexpr uint64_t kDriveBytes = kMiB + 24 * kSegmentBytes;
constexpr uint32_t kChainBlocks = 12;
constexpr absl::Duration kDay = absl::Hours(24);

class FlashAdmissionTest : public testing::Test, protected LoadListener {
 protected:
  void Start(double writes_per_day, size_t drives = 1) {
    SetLog(LogLevel::kError, LogFormat::kKeyValue);
    FlashTierOptions options;
    for (size_t i = 0; i < drives; ++i) {
      options.drives.push_back({Path(i), kDriveBytes, 0, writes_per_day});
    }
    options.segment_bytes = kSegmentBytes;
    options.node.bytes.fill(std::byte{9});
    options.incarnation = 1;
    options.chains = chains.get();
    shard = *Shard::Create(
        {.capacity_bytes = kDramBytes, .huge_pages = false, .flash_bytes = drives * kDriveBytes},
        host.clock());
    scope = *shard->InternScope(7, ns);
    tier = *FlashTier::Create(options, *shard, runtime);
    for (int i = 0; i < 10'000 && !tier->recovered(); ++i) Step(absl::Microseconds(20));
    ASSERT_TRUE(tier->recovered());
  }
  static std::string Path(size_t drive) { return absl::StrCat("drive", drive); }

  void Step(absl::Duration time) {
    tier->Poll(*this);
    world.scheduler().RunFor(time);
    tier->Poll(*this);
  }
  void Put(uint64_t chain, uint32_t position, ReturnHint hint = ReturnHint::kNone) {
    PutIdentity identity;
    identity.scope = scope;
    identity.key = KeyOf(chain, position);
    if (position > 0) identity.parent = KeyOf(chain, position - 1);
    identity.position = position;
    identity.length_bytes = kBlockBytes;
    identity.hint = hint;
    identity.checksum = MakeChecksum(identity.key, ns, payload);
    const Reserved reserved = shard->Reserve(identity);
    if (reserved.outcome != ReserveOutcome::kReserved) return;
    std::copy(
        payload.begin(), payload.end(),
        shard->arena().begin() + static_cast<ptrdiff_t>(shard->Info(reserved.block).offset_bytes));
    ASSERT_EQ(shard->Seal(reserved.block), SealOutcome::kSealed);
  }
  void PutChain(uint64_t chain, ReturnHint hint = ReturnHint::kNone) {
    for (uint32_t i = 0; i < kChainBlocks; ++i) Put(chain, i, hint);
  }
  // A chain each `interval` for so long, none of which comes back.
  void Flood(absl::Duration time, absl::Duration interval) {
    for (const Instant end = Now() + time; Now() < end;) {
      PutChain(++last_chain);
      Step(interval);
    }
  }
  Instant Now() { return world.scheduler().Now(); }
  uint32_t PrefixHeld(uint64_t chain) const {
    uint32_t held = 0;
    for (; held < kChainBlocks; ++held) {
      const BlockKey key = KeyOf(chain, held);
      BlockRef found;
      shard->LookupBatch(scope, {&key, 1}, {&found, 1});
      if (found == BlockRef::kNone) break;
    }
    return held;
  }
  uint32_t BlocksHeld(uint64_t chain) const {
    uint32_t held = 0;
    for (uint32_t i = 0; i < kChainBlocks; ++i) {
      const BlockKey key = KeyOf(chain, i);
      BlockRef found;
      shard->LookupBatch(scope, {&key, 1}, {&found, 1});
      held += found == BlockRef::kNone ? 0 : 1;
    }
    return held;
  }
  uint64_t written() const { return tier->counters().written_bytes.value(); }
  void OnLoaded(BlockRef, LoadEnd) override {}

  SimWorld world{{.seed = 1}};
  SimHost& host = world.AddHost("10.0.0.1");
  Runtime runtime = host.runtime();
  NamespaceId ns;
  const std::vector<std::byte> payload = std::vector<std::byte>(kBlockBytes, std::byte{1});
  std::unique_ptr<ChainTable> chains = *ChainTable::Create(1 << 14);
  std::unique_ptr<Shard> shard;
  std::unique_ptr<FlashTier> tier;
  ScopeId scope = ScopeId::kNone;
  uint64_t last_chain = 1000;
};

TEST_F(FlashAdmissionTest, WithoutABudgetAllIsWritten) {
  Start(/*writes_per_day=*/0);
  Flood(absl::Hours(2), absl::Seconds(10));
  EXPECT_EQ(tier->counters().rejected_blocks.value(), 0u);
  EXPECT_EQ(tier->counters().admitted_share_ppm.value(), 1'000'000u);
  EXPECT_GT(tier->counters().admitted_blocks.value(), 7000u);
  EXPECT_EQ(tier->counters().write_budget_bytes.value(), 0u);
}

TEST_F(FlashAdmissionTest, TheDriveWritesItsBudgetADayWhateverIsOffered) {
  Start(/*writes_per_day=*/4);
  const uint64_t budget = tier->counters().write_budget_bytes.value();
  ASSERT_EQ(budget, 4 * kDriveBytes);
  std::deque<std::pair<Instant, uint64_t>> books;
  uint64_t worst = 0;
  uint64_t last = 0;
  for (const Instant end = Now() + 3 * kDay; Now() < end;) {
    Flood(absl::Minutes(10), absl::Seconds(60));  // about three times the budget
    books.emplace_back(Now(), written());
    while (books.front().first < Now() - kDay) books.pop_front();
    last = written() - books.front().second;
    worst = std::max(worst, last);
  }
  // Padding, headers and footers included. What is under way is not counted by either yet.
  EXPECT_LE(worst, budget + budget / 100);
  EXPECT_GE(last, budget - budget / 100 * 4);  // chains are coarse beside so small a budget
  EXPECT_LT(tier->counters().write_budget_left_bytes.value(), budget / 100 * 4);
  EXPECT_LT(tier->counters().admitted_share_ppm.value(), 600'000u);
  EXPECT_GT(tier->counters().rejected_bytes.value(), budget);
}

TEST_F(FlashAdmissionTest, ChainsAreWrittenWholeOrNotAtAll) {
  Start(/*writes_per_day=*/40);
  Flood(absl::Hours(3), absl::Seconds(5));
  const uint64_t first = last_chain + 1;
  Flood(absl::Minutes(15), absl::Seconds(5));  // fewer than the drive holds
  const uint64_t end = last_chain + 1;
  Flood(absl::Minutes(3), absl::Seconds(5));  // out of DRAM
  uint32_t whole = 0;
  uint32_t absent = 0;
  for (uint64_t chain = first; chain < end; ++chain) {
    EXPECT_EQ(PrefixHeld(chain), BlocksHeld(chain)) << chain << ": a hole";
    whole += PrefixHeld(chain) >= kChainBlocks - 1 ? 1 : 0;
    absent += PrefixHeld(chain) == 0 ? 1 : 0;
  }
  EXPECT_GT(whole, 15u);
  EXPECT_GT(absent, 15u);
  EXPECT_GE(whole + absent, (end - first) * 9 / 10);
  shard->CheckInvariants();
}

TEST_F(FlashAdmissionTest, EnginesHintsAreHonoured) {
  Start(/*writes_per_day=*/40);
  Flood(absl::Hours(3), absl::Seconds(5));
  std::vector<uint64_t> returning;
  std::vector<uint64_t> one_off;
  for (int i = 0; i < 8; ++i) {
    PutChain(returning.emplace_back(++last_chain), ReturnHint::kWillReturn);
    PutChain(one_off.emplace_back(++last_chain), ReturnHint::kOneOff);
    Flood(absl::Minutes(1), absl::Seconds(5));
  }
  Flood(absl::Minutes(3), absl::Seconds(5));
  for (const uint64_t chain : returning) EXPECT_EQ(PrefixHeld(chain), kChainBlocks) << chain;
  for (const uint64_t chain : one_off) EXPECT_EQ(BlocksHeld(chain), 0u) << chain;
}

TEST_F(FlashAdmissionTest, DrivesShareAChainsFateAndKeepTheirOwnBudgets) {
  Start(/*writes_per_day=*/4, /*drives=*/2);
  Flood(kDay, absl::Seconds(40));
  const uint64_t budget = tier->counters().write_budget_bytes.value();
  EXPECT_EQ(budget, 2 * 4 * kDriveBytes);
  EXPECT_LE(written(), budget + budget / 100);
  EXPECT_GE(written(), budget / 100 * 90);
}

}  // namespace
}  // namespace cairn
