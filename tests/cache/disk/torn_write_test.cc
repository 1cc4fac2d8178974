// Fault 1: a power cut in the middle of a segment's last writes, at every one of their sectors.

#include <functional>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cache/disk/log_records.h"
#include "tests/cache/disk/log_rig.h"

namespace cairn {
namespace {

constexpr uint64_t kLogSectors = 6 * kMiB / kSectorBytes;

using SectorBytes = std::array<std::byte, kSectorBytes>;

// Both states of a drive, before and after some writes, and any mixture of the two.
class TornWrites : public testing::Test {
 protected:
  void Take(SimDevice& into) { into = rig_.drive(); }
  SectorBytes SectorOf(const SimDevice& drive, uint64_t sector) const {
    SectorBytes bytes;
    drive.Read(sector * kSectorBytes, absl::MakeSpan(bytes));
    return bytes;
  }
  // The sectors that the writes changed.
  std::vector<uint64_t> Changed() const {
    std::vector<uint64_t> changed;
    for (uint64_t sector = 0; sector < kLogSectors; ++sector) {
      if (SectorOf(before_, sector) != SectorOf(after_, sector)) changed.push_back(sector);
    }
    return changed;
  }
  // A life that begins with the drive after the writes, but for the changed sectors that did not
  // land.
  bool StartWithout(const std::function<bool(size_t nth)>& lost) {
    rig_.drive() = after_;
    const std::vector<uint64_t> changed = Changed();
    for (size_t nth = 0; nth < changed.size(); ++nth) {
      if (lost(nth))
        rig_.drive().Write(changed[nth] * kSectorBytes, SectorOf(before_, changed[nth]));
    }
    return rig_.Start();
  }
  // Whatever is told was appended; returns the numbers of those that read.
  std::set<uint64_t> Readable() {
    std::set<uint64_t> readable;
    for (const LogRecord& told : rig_.told) {
      const LogRecord* appended = rig_.Find(told.place, told.generation);
      EXPECT_TRUE(appended != nullptr && SameEntry(appended->entry, told.entry));
      if (rig_.Read(told) == ReadOutcome::kGood) readable.insert(NumberOf(told));
    }
    return readable;
  }
  uint64_t NumberOf(const LogRecord& record) const {
    for (uint64_t number = 0; number < 1000; ++number) {
      if (BlockKeyOf(number) == record.entry.key) return number;
    }
    return UINT64_MAX;
  }
  // The number of the record whose payload lies there; nullopt: none's does.
  std::optional<uint64_t> OwnerOf(uint64_t device_sector) const {
    for (const LogRecord& record : rig_.appended()) {
      const uint64_t first =
          (kMiB + record.place.segment * kMiB) / kSectorBytes + record.place.sector;
      const bool here = !record.overwritten && device_sector >= first &&
                        device_sector < first + record.entry.sectors();
      if (here) return NumberOf(record);
    }
    return std::nullopt;
  }

  LogRig rig_{{.seed = 1}};
  SimDevice before_, after_;
};

// Two groups and a footer of two sectors.
class TornSegment : public TornWrites {
 protected:
  static constexpr uint64_t kRecords = 60;

  void SetUp() override {
    ASSERT_TRUE(rig_.Start());
    ASSERT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(1); }));
    Take(before_);
    for (uint64_t i = 0; i < kRecords; ++i) rig_.Append(i, i % 3 == 0 ? 9000 : 300);
    rig_.Seal();
    ASSERT_EQ(rig_.sealed_segments.size(), 1u);
    Take(after_);
    rig_.Kill();
  }
  std::set<uint64_t> All() const {
    std::set<uint64_t> all;
    for (uint64_t i = 0; i < kRecords; ++i) all.insert(i);
    return all;
  }
};

TEST_F(TornSegment, OneSectorThatWasLostCostsAtMostTheRecordInIt) {
  const std::vector<uint64_t> changed = Changed();
  ASSERT_GT(changed.size(), 100u);
  for (size_t lost = 0; lost < changed.size(); ++lost) {
    SCOPED_TRACE(changed[lost]);
    ASSERT_TRUE(StartWithout([&](size_t nth) { return nth == lost; }));
    std::set<uint64_t> expected = All();
    const std::optional<uint64_t> owner = OwnerOf(changed[lost]);
    if (owner.has_value()) expected.erase(*owner);
    ASSERT_EQ(Readable(), expected);
    rig_.Kill();
  }
}

TEST_F(TornSegment, WhatLandedUpToASectorIsFoundUpToThere) {
  const std::vector<uint64_t> changed = Changed();
  for (size_t landed = 0; landed <= changed.size(); ++landed) {
    SCOPED_TRACE(landed);
    ASSERT_TRUE(StartWithout([&](size_t nth) { return nth >= landed; }));
    // Those whose payload, and whose group's header, which stands before it, are there.
    std::set<uint64_t> expected = All();
    for (size_t nth = landed; nth < changed.size(); ++nth) {
      const std::optional<uint64_t> owner = OwnerOf(changed[nth]);
      if (owner.has_value()) expected.erase(*owner);
    }
    ASSERT_EQ(Readable(), expected);
    rig_.Kill();
  }
}

TEST_F(TornSegment, WithoutItsFirstSectorsTheFooterTells) {
  const std::vector<uint64_t> changed = Changed();
  for (size_t lost = 0; lost < changed.size(); ++lost) {
    SCOPED_TRACE(lost);
    ASSERT_TRUE(StartWithout([&](size_t nth) { return nth < lost; }));
    const bool footer_whole = lost <= changed.size() - 3;
    std::set<uint64_t> expected = footer_whole ? All() : std::set<uint64_t>();
    for (size_t nth = 0; footer_whole && nth < lost; ++nth) {
      const std::optional<uint64_t> owner = OwnerOf(changed[nth]);
      if (owner.has_value()) expected.erase(*owner);
    }
    ASSERT_EQ(Readable(), expected);
    rig_.Kill();
  }
}

// Another generation over an older, sealed one: at no sector do two lives mix.
TEST_F(TornWrites, ARecycledSegmentIsOneGenerationsOrTheOthers) {
  ASSERT_TRUE(rig_.Start());
  for (uint64_t round = 0; round < 5; ++round) {
    for (uint64_t i = 0; i < 30; ++i) rig_.Append(100 * round + i, 3000);
    rig_.Seal();
  }
  const uint32_t recycled = rig_.sealed_segments.front();
  Take(before_);
  rig_.Free(recycled);
  for (uint64_t i = 0; i < 20; ++i) ASSERT_EQ(rig_.Append(500 + i, 3000).segment, recycled);
  rig_.Seal();
  Take(after_);
  rig_.Kill();
  const std::vector<uint64_t> changed = Changed();
  ASSERT_GT(changed.size(), 20u);
  for (size_t landed = 0; landed <= changed.size(); ++landed) {
    SCOPED_TRACE(landed);
    ASSERT_TRUE(StartWithout([&](size_t nth) { return nth >= landed; }));
    std::set<uint64_t> generations;
    size_t fresh = 0;
    for (const LogRecord& told : rig_.told) {
      if (told.place.segment != recycled) continue;
      generations.insert(told.generation);
      fresh += NumberOf(told) >= 500;
    }
    EXPECT_LE(generations.size(), 1u);
    // The first sector is the group's header; the last two are the footer.
    EXPECT_EQ(fresh, std::min<size_t>(landed == 0 ? 0 : landed - 1, 20));
    // Of the old ones those read that were not written over.
    const size_t old = landed == 0 ? 30 : 0;
    EXPECT_EQ(Readable().size(), 120 + fresh + old);
    rig_.Kill();
  }
}

// Superblocks: each of a log's first two, and each later life's.
TEST_F(TornWrites, ASuperblockThatIsHalfWrittenLeavesTheOther) {
  ASSERT_TRUE(rig_.Start());
  for (uint64_t i = 0; i < 10; ++i) rig_.Append(i, 300);
  rig_.Seal();
  for (int life = 0; life < 4; ++life) {
    rig_.Kill();
    Take(before_);
    ASSERT_TRUE(rig_.Start());
    ASSERT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(1); }));
    rig_.Kill();
    Take(after_);
    const std::vector<uint64_t> changed = Changed();
    ASSERT_EQ(changed.size(), 1u);
    for (size_t bytes = 0; bytes <= 128; bytes += 8) {
      rig_.drive() = after_;
      SectorBytes torn = SectorOf(before_, changed[0]);
      const SectorBytes whole = SectorOf(after_, changed[0]);
      std::copy_n(whole.begin(), bytes, torn.begin());
      rig_.drive().Write(changed[0] * kSectorBytes, torn);
      ASSERT_TRUE(rig_.Start()) << bytes;
      EXPECT_EQ(rig_.told.size(), 10u);
      rig_.Kill();
    }
    rig_.drive() = after_;
    ASSERT_TRUE(rig_.Start());
  }
}

// A crash at any moment of a log's first: then it is new, or it is itself.
TEST_F(TornWrites, ALogThatIsBeingMadeIsMadeAgainOrFound) {
  for (int steps = 0; steps < 60; ++steps) {
    LogRig rig({.seed = static_cast<uint64_t>(steps)});
    rig.Boot();
    for (int i = 0; i < steps; ++i) rig.Step();
    steps % 2 == 0 ? rig.Kill() : rig.CutPower();
    ASSERT_TRUE(rig.Start()) << steps;
    EXPECT_TRUE(rig.told.empty());
    rig.Append(1, 100);
    rig.Seal();
    rig.CutPower();
    ASSERT_TRUE(rig.Start());
    EXPECT_EQ(rig.told.size(), 1u);
  }
}

}  // namespace
}  // namespace cairn
