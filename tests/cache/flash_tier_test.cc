#include "cache/flash_tier.h"

#include <cerrno>
#include <map>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "proto/checksum.h"
#include "tests/cache/chain_key.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

constexpr uint64_t kMiB = 1u << 20;
constexpr uint32_t kBlockBytes = 64 << 10;
constexpr uint64_t kDramBytes = 16 * kMiB;    // 256 blocks
constexpr uint64_t kSegmentBytes = 4 * kMiB;  // 63 blocks
constexpr uint64_t kDriveBytes = kMiB + 12 * kSegmentBytes;
constexpr TenantId kTenant = 7;
constexpr absl::Duration kPatience = absl::Seconds(10);

NamespaceId Ns() {
  NamespaceId ns;
  ns.bytes.fill(std::byte{5});
  return ns;
}

std::vector<std::byte> PayloadOf(const BlockKey& key) {
  std::vector<std::byte> payload(kBlockBytes);
  SeededRandom random(key.Word(0));
  random.Fill(absl::MakeSpan(payload));
  return payload;
}

// A shard and its tier over simulated drives; dies and comes back as a process does.
class FlashTierTest : public testing::Test, protected LoadListener {
 protected:
  explicit FlashTierTest(uint64_t seed = 1)
      : world({.seed = seed}), host(world.AddHost("10.0.0.1")), runtime(host.runtime()) {
    SetLog(LogLevel::kError, LogFormat::kKeyValue);
    node.bytes.fill(std::byte{9});
  }

  void Start() {
    FlashTierOptions options;
    for (size_t i = 0; i < drive_count; ++i) options.drives.push_back({Path(i), kDriveBytes});
    options.segment_bytes = kSegmentBytes;
    options.node = node;
    options.incarnation = ++incarnation;
    options.key = disk_key;
    options.chains = chains.get();
    shard = *Shard::Create({.capacity_bytes = kDramBytes,
                            .huge_pages = false,
                            .policy = PolicyKind::kLru,  // so that a flood takes what it should
                            .flash_bytes = drive_count * kDriveBytes},
                           host.clock());
    scope = *shard->InternScope(kTenant, Ns());
    auto made = FlashTier::Create(options, *shard, runtime);
    ASSERT_TRUE(made.ok()) << made.status();
    tier = *std::move(made);
  }
  void StartAndRecover() {
    Start();
    ASSERT_TRUE(RunUntil([this] { return tier->recovered(); }));
  }
  // power: what was not flushed may be lost.
  void Crash(bool power) {
    ended.clear();
    tier.reset();
    shard.reset();
    if (power) host.storage().CutPower();
  }
  static std::string Path(size_t drive) { return "drive" + std::to_string(drive); }
  SimDevice& device(size_t drive = 0) { return host.storage().device(Path(drive)); }

  void Step() {
    tier->Poll(*this);
    world.scheduler().RunFor(absl::Microseconds(20));
  }
  bool RunUntil(const std::function<bool()>& done) {
    const Instant end = world.scheduler().Now() + kPatience;
    while (!done()) {
      if (world.scheduler().Now() > end) return false;
      Step();
    }
    return true;
  }
  void RunFor(absl::Duration duration) {
    const Instant end = world.scheduler().Now() + duration;
    while (world.scheduler().Now() < end) Step();
  }
  bool Seal() {
    tier->Finish();
    return RunUntil([this] { return tier->sealed(); });
  }

  bool Put(uint64_t chain, uint32_t position, ReturnHint hint = ReturnHint::kNone) {
    PutIdentity identity;
    identity.hint = hint;
    identity.scope = scope;
    identity.key = KeyOf(chain, position);
    if (position > 0) identity.parent = KeyOf(chain, position - 1);
    identity.position = position;
    identity.length_bytes = kBlockBytes;
    const std::vector<std::byte> payload = PayloadOf(identity.key);
    identity.checksum = MakeChecksum(identity.key, Ns(), payload);
    const Reserved reserved = shard->Reserve(identity);
    if (reserved.outcome != ReserveOutcome::kReserved) return false;
    std::copy(
        payload.begin(), payload.end(),
        shard->arena().begin() + static_cast<ptrdiff_t>(shard->Info(reserved.block).offset_bytes));
    if (shard->Seal(reserved.block) == SealOutcome::kSealed) return true;
    shard->Abort(reserved.block);
    return false;
  }
  // Slower than the drives, so that nothing is refused for lack of a writer.
  void Pace() { RunFor(absl::Microseconds(100)); }
  void PutChain(uint64_t chain, uint32_t blocks) {
    for (uint32_t i = 0; i < blocks; ++i) {
      Put(chain, i);
      Pace();
    }
  }

  enum class Got { kAbsent, kRight, kWrong, kRefused, kFailed };
  Got Get(uint64_t chain, uint32_t position) {
    const BlockKey key = KeyOf(chain, position);
    const BlockRef block = shard->Pin(scope, key);
    if (block == BlockRef::kNone) return Got::kAbsent;
    Got got = Got::kRight;
    if (!shard->InDram(block)) {
      ended.erase(block);
      if (tier->Load(block, kNever) != LoadStart::kStarted) {
        got = Got::kRefused;
      } else if (!RunUntil([&] { return ended.contains(block); })) {
        ADD_FAILURE() << "a load never ended";
      } else if (ended[block] != LoadEnd::kLoaded) {
        got = Got::kFailed;
      }
    }
    if (got == Got::kRight) {
      const auto payload = PayloadOf(key);
      const auto bytes = shard->arena().subspan(shard->Info(block).offset_bytes, kBlockBytes);
      if (!std::equal(payload.begin(), payload.end(), bytes.begin())) got = Got::kWrong;
    }
    shard->Unpin(block);
    return got;
  }
  bool Has(uint64_t chain, uint32_t position) const {
    const BlockKey key = KeyOf(chain, position);
    BlockRef found;
    shard->LookupBatch(scope, {&key, 1}, {&found, 1});
    return found != BlockRef::kNone;
  }
  // What the shard told since the last call, as the last change of each key.
  std::map<BlockKey, uint16_t> Told() {
    std::map<BlockKey, uint16_t> told;
    std::vector<InventoryChange> changes(64);
    bool lost = false;
    while (const size_t count = shard->TakeChanges(absl::MakeSpan(changes), &lost)) {
      for (size_t i = 0; i < count; ++i) told[changes[i].key] = changes[i].change;
    }
    EXPECT_FALSE(lost);
    return told;
  }
  std::map<BlockKey, uint16_t> ToldBySnapshot() const {
    std::map<BlockKey, uint16_t> told;
    std::vector<InventoryChange> changes(64);
    uint64_t cursor = 0;
    while (const size_t count = shard->Snapshot(&cursor, absl::MakeSpan(changes))) {
      for (size_t i = 0; i < count; ++i) told[changes[i].key] = changes[i].change;
    }
    return told;
  }
  bool InDram(uint64_t chain, uint32_t position) {
    const BlockRef block = shard->Pin(scope, KeyOf(chain, position));
    if (block == BlockRef::kNone) return false;
    const bool resident = shard->InDram(block);
    shard->Unpin(block);
    return resident;
  }
  // Puts other chains until nothing of the first ones is in DRAM.
  void Flood(uint64_t first_chain, uint32_t blocks = 300) {
    for (uint32_t i = 0; i < blocks; ++i) {
      Put(first_chain + i, 0);
      Pace();
    }
  }

  void OnLoaded(BlockRef block, LoadEnd end) override { ended[block] = end; }

  SimWorld world;
  SimHost& host;
  Runtime runtime;
  NodeId node;
  size_t drive_count = 1;
  std::optional<DiskKey> disk_key;
  uint64_t incarnation = 0;
  std::unique_ptr<ChainTable> chains = *ChainTable::Create(kRememberedBlocksMin);
  std::unique_ptr<Shard> shard;
  std::unique_ptr<FlashTier> tier;
  ScopeId scope = ScopeId::kNone;
  std::map<BlockRef, LoadEnd> ended;
};

TEST_F(FlashTierTest, WhatLeavesDramComesBackAsItWas) {
  StartAndRecover();
  PutChain(1, 16);
  Flood(100);
  for (uint32_t i = 0; i < 16; ++i) {
    EXPECT_FALSE(InDram(1, i)) << i;
    EXPECT_EQ(Get(1, i), Got::kRight) << i;
    EXPECT_TRUE(InDram(1, i)) << i;
  }
  EXPECT_EQ(shard->counters().pins.value(), 0u);
  shard->CheckInvariants();
}

TEST_F(FlashTierTest, CoordinatorsAreToldWhetherABlockIsInMemoryOrOnADriveAlone) {
  StartAndRecover();
  PutChain(1, 4);
  EXPECT_EQ(Told().at(KeyOf(1, 3)), kInventoryAdded);
  Flood(100);
  EXPECT_EQ(Told().at(KeyOf(1, 3)), kInventoryOnDrive);
  EXPECT_EQ(ToldBySnapshot().at(KeyOf(1, 3)), kInventoryOnDrive);
  ASSERT_EQ(Get(1, 3), Got::kRight);
  EXPECT_EQ(Told().at(KeyOf(1, 3)), kInventoryAdded);
  EXPECT_EQ(ToldBySnapshot().at(KeyOf(1, 3)), kInventoryAdded);
  ASSERT_TRUE(Seal());
  Crash(/*power=*/false);
  StartAndRecover();
  EXPECT_EQ(Told().at(KeyOf(1, 0)), kInventoryOnDrive) << "found on the drive at the start";
}

TEST_F(FlashTierTest, ABlockStillInTheWritersMemoryIsReadFromThere) {
  StartAndRecover();
  RunFor(absl::Milliseconds(5));  // its superblock is there
  device().faults().latency = absl::Seconds(1);
  PutChain(1, 4);
  Flood(100, 256);
  ASSERT_FALSE(InDram(1, 3));
  const uint64_t read_before = tier->counters().read_bytes.value();
  EXPECT_EQ(Get(1, 3), Got::kRight);
  EXPECT_EQ(tier->counters().read_bytes.value(), read_before);
}

TEST_F(FlashTierTest, ATailOnNvmeHasItsHeadThere) {
  StartAndRecover();
  PutChain(1, 32);
  Flood(100, 235);  // some of the tails have gone
  const BlockRef head = shard->Pin(scope, KeyOf(1, 16));
  ASSERT_TRUE(shard->InDram(head)) << "the flood was too large to show anything";
  ASSERT_FALSE(InDram(1, 31));
  EXPECT_EQ(shard->PlaceOf(head).log, 0u);  // CHECKs that there is a place
  shard->Unpin(head);
}

TEST_F(FlashTierTest, IdenticalLoadsAreOneRead) {
  StartAndRecover();
  PutChain(1, 1);
  Flood(100);
  ASSERT_TRUE(Seal());
  const BlockRef block = shard->Pin(scope, KeyOf(1, 0));
  ASSERT_FALSE(shard->InDram(block));
  const uint64_t before = tier->counters().read_bytes.value();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(tier->Load(block, kNever), LoadStart::kStarted);
  EXPECT_TRUE(RunUntil([&] { return ended.contains(block); }));
  Step();
  EXPECT_EQ(tier->counters().read_bytes.value() - before, kBlockBytes);
  shard->Unpin(block);
}

TEST_F(FlashTierTest, ALoadThatWouldEndTooLateIsRefusedAtOnce) {
  StartAndRecover();
  PutChain(1, 2);
  Flood(100);
  ASSERT_TRUE(Seal());
  EXPECT_EQ(Get(1, 0), Got::kRight);  // the drive has shown how fast it is
  const BlockRef block = shard->Pin(scope, KeyOf(1, 1));
  ASSERT_FALSE(shard->InDram(block));
  EXPECT_EQ(tier->Load(block, host.clock().Now()), LoadStart::kDeadline);
  shard->Unpin(block);
}

TEST_F(FlashTierTest, SealedBlocksSurviveAPowerCut) {
  StartAndRecover();
  PutChain(1, 40);
  Flood(100);
  ASSERT_TRUE(Seal());
  std::set<uint64_t> on_flash;
  for (uint64_t chain = 100; chain < 400; ++chain) {
    if (Has(chain, 0) && !InDram(chain, 0)) on_flash.insert(chain);
  }
  ASSERT_GT(on_flash.size(), 40u);
  Crash(/*power=*/true);
  StartAndRecover();
  EXPECT_EQ(tier->counters().recovery_dropped.value(), 0u);
  for (const uint64_t chain : on_flash) EXPECT_EQ(Get(chain, 0), Got::kRight) << chain;
  for (uint32_t i = 0; i < 40; ++i) EXPECT_EQ(Get(1, i), Got::kRight) << i;
  shard->CheckInvariants();
}

TEST_F(FlashTierTest, WhatAnEngineSaidOfABlockComesBackFromTheDrive) {
  StartAndRecover();
  Put(1, 0, ReturnHint::kLowPriority);
  Put(2, 0, ReturnHint::kWillReturn);
  Put(3, 0);
  Flood(100);
  ASSERT_TRUE(Seal());
  Crash(/*power=*/true);
  StartAndRecover();
  const ReturnHint said[] = {ReturnHint::kLowPriority, ReturnHint::kWillReturn, ReturnHint::kNone};
  for (uint64_t chain = 1; chain <= 3; ++chain) {
    const BlockRef block = shard->Pin(scope, KeyOf(chain, 0));
    ASSERT_NE(block, BlockRef::kNone) << chain;
    EXPECT_EQ(shard->Describe(block).hint, said[chain - 1]) << chain;
    shard->Unpin(block);
  }
}

TEST_F(FlashTierTest, AFullDriveGivesItsOldestSegmentsBack) {
  StartAndRecover();
  for (uint64_t chain = 0; chain < 2000; ++chain) {
    Put(chain, 0);
    Pace();
  }
  EXPECT_GT(tier->counters().dropped_blocks.value(), 100u);
  EXPECT_FALSE(Has(0, 0));
  size_t held = 0;
  for (uint64_t chain = 0; chain < 2000; ++chain) {
    if (!Has(chain, 0)) continue;
    ++held;
    EXPECT_EQ(Get(chain, 0), Got::kRight) << chain;
  }
  EXPECT_GT(held, 500u);
  shard->CheckInvariants();
}

TEST_F(FlashTierTest, WhatIsUsedIsKeptWhenItsSegmentGoes) {
  StartAndRecover();
  PutChain(1, 2);
  for (uint64_t chain = 100; chain < 2500; ++chain) {
    Put(chain, 0);
    Pace();
    if (chain < 600 || chain % 300 != 0) continue;
    EXPECT_FALSE(InDram(1, 0));
    EXPECT_EQ(Get(1, 0), Got::kRight) << chain;
  }
  EXPECT_GT(tier->counters().rewritten_blocks.value(), 0u);
  EXPECT_EQ(Get(1, 0), Got::kRight);
  EXPECT_FALSE(Has(100, 0));
  ASSERT_TRUE(Seal());
  Crash(/*power=*/true);
  StartAndRecover();
  EXPECT_EQ(Get(1, 0), Got::kRight);
}

TEST_F(FlashTierTest, ADeadDriveCostsItsOwnBlocksAndNoOthers) {
  drive_count = 2;
  StartAndRecover();
  for (uint64_t chain = 0; chain < 400; ++chain) {
    Put(chain, 0);
    Pace();
  }
  ASSERT_TRUE(Seal());
  device(0).faults().read_errno = EIO;
  device(0).faults().write_errno = EIO;
  std::map<Got, int> got;
  for (uint64_t chain = 0; chain < 140; ++chain) ++got[Get(chain, 0)];
  EXPECT_GT(got[Got::kRight], 40);
  EXPECT_GE(got[Got::kFailed], 5);
  EXPECT_GT(got[Got::kRefused], 20) << "the breaker stayed closed";
  EXPECT_EQ(got[Got::kWrong], 0);
  EXPECT_EQ(tier->counters().drives_failed.value(), 1u);
  // It comes back, and so do its blocks.
  device(0).faults() = {};
  RunFor(absl::Seconds(2));
  for (uint64_t chain = 0; chain < 140; ++chain) EXPECT_EQ(Get(chain, 0), Got::kRight) << chain;
}

TEST_F(FlashTierTest, ADriveThatBecameSlowIsLeftAlone) {
  StartAndRecover();
  PutChain(1, 32);
  Flood(100);
  ASSERT_TRUE(Seal());
  device().faults().latency = absl::Milliseconds(600);
  size_t refused = 0;
  for (uint32_t i = 0; i < 32; ++i) refused += Get(1, i) == Got::kRefused ? 1 : 0;
  EXPECT_GT(refused, 10u);
}

TEST_F(FlashTierTest, AFullFileSystemStopsWritesUntilThereIsSpaceAgain) {
  StartAndRecover();
  RunFor(absl::Milliseconds(5));  // its superblock is there
  device().faults().write_errno = ENOSPC;
  PutChain(1, 8);
  Flood(100);
  RunFor(absl::Milliseconds(200));
  EXPECT_EQ(Get(1, 0), Got::kAbsent);
  EXPECT_TRUE(Put(5000, 0)) << "DRAM serves on";
  shard->CheckInvariants();
  device().faults() = {};
  world.scheduler().RunFor(absl::Minutes(2));  // longer than it waits before it tries again
  Flood(1000, 600);
  EXPECT_EQ(Get(1100, 0), Got::kRight);
}

TEST_F(FlashTierTest, RottenRecordsAreMissesAndGo) {
  StartAndRecover();
  PutChain(1, 32);
  Flood(100);
  ASSERT_TRUE(Seal());
  device().faults().rot_ppm = 1'000'000;
  EXPECT_EQ(Get(1, 31), Got::kFailed);
  EXPECT_FALSE(Has(1, 31));
  EXPECT_EQ(tier->counters().damaged_records.value(), 1u);
  device().faults().rot_ppm = 0;
  EXPECT_EQ(Get(1, 30), Got::kRight) << "a bad record costs that record";
  shard->CheckInvariants();
}

TEST_F(FlashTierTest, EncryptedRecordsNeedTheirKey) {
  disk_key.emplace();
  disk_key->fill(std::byte{3});
  StartAndRecover();
  PutChain(1, 8);
  Flood(100);
  ASSERT_TRUE(Seal());
  EXPECT_EQ(Get(1, 0), Got::kRight);
  Crash(/*power=*/false);
  StartAndRecover();
  EXPECT_EQ(Get(1, 0), Got::kRight);
  EXPECT_EQ(Get(1, 7), Got::kRight);
  Crash(/*power=*/false);
  disk_key->fill(std::byte{4});
  StartAndRecover();
  EXPECT_EQ(Get(1, 0), Got::kFailed);
  EXPECT_EQ(Get(1, 0), Got::kAbsent);
}

TEST_F(FlashTierTest, MoreEncryptedBlocksThanStagingBuffersWaitForTheirTurn) {
  constexpr uint32_t kBlocks = 4 * kStagingBuffers;
  disk_key.emplace();
  disk_key->fill(std::byte{3});
  StartAndRecover();
  for (uint32_t i = 0; i < kBlocks; ++i) Put(1 + i, 0);
  Flood(100);
  std::vector<BlockRef> blocks;
  for (uint32_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(shard->Pin(scope, KeyOf(1 + i, 0)));
    ASSERT_NE(blocks.back(), BlockRef::kNone);
    ASSERT_EQ(tier->Load(blocks.back(), kNever), LoadStart::kStarted);
  }
  ASSERT_TRUE(RunUntil([&] { return ended.size() == kBlocks; }));
  for (const BlockRef block : blocks) {
    EXPECT_EQ(ended[block], LoadEnd::kLoaded);
    shard->Unpin(block);
  }
  shard->CheckInvariants();
}

TEST_F(FlashTierTest, AnEncryptedBlockWhoseSegmentGoesBeforeItsTurnIsGone) {
  disk_key.emplace();
  disk_key->fill(std::byte{3});
  StartAndRecover();
  for (uint32_t i = 0; i < 2 * kStagingBuffers; ++i) Put(1 + i, 0);
  Flood(100);
  ASSERT_TRUE(Seal());
  device().faults().latency = absl::Seconds(1);
  std::vector<BlockRef> blocks;
  for (uint32_t i = 0; i < 2 * kStagingBuffers; ++i) {
    blocks.push_back(shard->Pin(scope, KeyOf(1 + i, 0)));
    ASSERT_EQ(tier->Load(blocks.back(), kNever), LoadStart::kStarted);
  }
  const FlashPlace place = shard->PlaceOf(blocks.back());
  shard->DropSegment(place.log, place.at.segment);
  ASSERT_TRUE(RunUntil([&] { return ended.size() == blocks.size(); }));
  EXPECT_EQ(ended[blocks.back()], LoadEnd::kGone);
  for (const BlockRef block : blocks) shard->Unpin(block);
  EXPECT_EQ(tier->counters().damaged_records.value(), 0u);
  shard->CheckInvariants();
}

TEST_F(FlashTierTest, APayloadInTheClearIsNowhereOnAnEncryptedDrive) {
  disk_key.emplace();
  disk_key->fill(std::byte{3});
  StartAndRecover();
  PutChain(1, 1);
  Flood(100);
  ASSERT_TRUE(Seal());
  const std::vector<std::byte> payload = PayloadOf(KeyOf(1, 0));
  std::vector<std::byte> drive(kDriveBytes);
  device().Read(0, absl::MakeSpan(drive));
  EXPECT_EQ(std::search(drive.begin(), drive.end(), payload.begin(), payload.begin() + 64),
            drive.end());
}

TEST_F(FlashTierTest, ADriveOfAnotherNodeIsRefusedByName) {
  StartAndRecover();
  ASSERT_TRUE(RunUntil([this] { return device().written_sectors() > 0; }));
  RunFor(absl::Milliseconds(10));
  Crash(/*power=*/false);
  node.bytes.fill(std::byte{8});
  StartAndRecover();
  const std::string message(tier->failure().message());
  EXPECT_TRUE(absl::IsFailedPrecondition(tier->failure()));
  EXPECT_THAT(message,
              testing::AllOf(testing::HasSubstr(Path(0)), testing::HasSubstr("0909090909090909"),
                             testing::HasSubstr("0808080808080808")));
}

TEST_F(FlashTierTest, TheClusterIsRemembered) {
  StartAndRecover();
  EXPECT_EQ(tier->cluster(), ClusterId{});
  ClusterId cluster;
  cluster.bytes.fill(std::byte{6});
  tier->SetCluster(cluster);
  RunFor(absl::Milliseconds(10));
  Crash(/*power=*/true);
  StartAndRecover();
  EXPECT_EQ(tier->cluster(), cluster);
}

TEST_F(FlashTierTest, AClusterToldDuringRecoveryIsRemembered) {
  ClusterId cluster;
  cluster.bytes.fill(std::byte{6});
  StartAndRecover();
  for (uint32_t chain = 1; chain < 20; ++chain) Put(chain, 0);
  Flood(100);
  ASSERT_TRUE(Seal());
  Crash(/*power=*/false);
  Start();
  ASSERT_TRUE(RunUntil([this] { return tier->opened(); }));
  ASSERT_FALSE(tier->recovered());
  tier->SetCluster(cluster);
  ASSERT_TRUE(RunUntil([this] { return tier->recovered(); }));
  RunFor(absl::Milliseconds(10));
  Crash(/*power=*/true);
  StartAndRecover();
  EXPECT_EQ(tier->cluster(), cluster);
}

// Random use of drives that lie, with crashes at any moment, by seed.
class FlashTierProperty : public FlashTierTest, public testing::WithParamInterface<uint64_t> {
 protected:
  FlashTierProperty() : FlashTierTest(GetParam()), random(GetParam() * 77 + 5) {}

  void DrawFaults() {
    SimDeviceFaults& faults = device(random.Below(drive_count)).faults();
    faults = {};
    switch (random.Below(10)) {
      case 0:
        faults.rot_ppm = 20'000;
        break;
      case 1:
        faults.lost_write_ppm = 50'000;
        break;
      case 2:
        faults.misdirected_write_ppm = 50'000;
        break;
      case 3:
        faults.short_read_ppm = 50'000;
        break;
      case 4:
        faults.read_error_ppm = 50'000;
        break;
      case 5:
        faults.write_error_ppm = 30'000;
        faults.flush_error_ppm = 30'000;
        break;
      case 6:
        faults.repeated_end_ppm = 300'000;
        break;
      case 7:
        faults.write_errno = ENOSPC;
        break;
      default:
        break;
    }
  }
  void Act() {
    const uint64_t chain = random.Below(60);
    const auto position = static_cast<uint32_t>(random.Below(40));
    switch (random.Below(8)) {
      case 0:
      case 1:
      case 2:
        PutChain(chain, position);
        break;
      case 3:
      case 4:
      case 5:
        EXPECT_NE(Get(chain, position), Got::kWrong);
        break;
      case 6:
        RunFor(absl::Milliseconds(static_cast<int64_t>(random.Below(80))));
        break;
      case 7:
        if (random.Below(4) == 0) tier->Finish();
        break;
    }
  }

  SeededRandom random;
};

TEST_P(FlashTierProperty, NothingIsEverWrongWhateverTheDrivesDo) {
  drive_count = 1 + GetParam() % 2;
  StartAndRecover();
  for (int life = 0; life < 6; ++life) {
    for (int step = 0; step < 60; ++step) {
      if (random.Below(10) == 0) DrawFaults();
      Act();
      shard->CheckInvariants();
    }
    const bool power = random.Below(2) == 0;
    Crash(power);
    for (size_t i = 0; i < drive_count; ++i) device(i).faults() = {};
    StartAndRecover();
    shard->CheckInvariants();
  }
  EXPECT_EQ(shard->counters().pins.value(), 0u);
}

TEST_P(FlashTierProperty, WithoutFaultsWhatWasSealedIsThereAfterAnyCrash) {
  StartAndRecover();
  for (int life = 0; life < 4; ++life) {
    for (uint64_t i = 0; i < 300; ++i) {
      Put(static_cast<uint64_t>(life) * 1000 + i, 0);
      if (random.Below(3) == 0) Pace();
    }
    ASSERT_TRUE(Seal());
    std::set<uint64_t> sealed;
    for (uint64_t i = 0; i < 300; ++i) {
      const uint64_t chain = static_cast<uint64_t>(life) * 1000 + i;
      if (Has(chain, 0) && !InDram(chain, 0)) sealed.insert(chain);
    }
    // More is written, and the crash comes at any moment of it.
    const uint64_t more = random.Below(120);
    for (uint64_t i = 0; i < more; ++i) {
      Put(100'000 + static_cast<uint64_t>(life) * 1000 + i, 0);
      if (random.Below(2) == 0) Step();
    }
    Crash(random.Below(2) == 0);
    StartAndRecover();
    for (const uint64_t chain : sealed) {
      ASSERT_TRUE(Has(chain, 0)) << "life " << life << " chain " << chain;
    }
    for (const uint64_t chain : sealed) ASSERT_EQ(Get(chain, 0), Got::kRight);
    shard->CheckInvariants();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FlashTierProperty, testing::Range<uint64_t>(1, 13));

}  // namespace
}  // namespace cairn
