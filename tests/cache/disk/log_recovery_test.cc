#include "cache/disk/log_recovery.h"

#include <array>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cache/disk/log_records.h"
#include "tests/cache/disk/log_rig.h"

namespace cairn {
namespace {

class LogRecoveryTest : public testing::Test {
 protected:
  explicit LogRecoveryTest(const LogRig::Options& options = {}) : rig_(options) {}

  // Sealed segments of `each` records of one sector.
  void FillSegments(uint64_t segments, uint64_t each) {
    ASSERT_TRUE(rig_.Start());
    for (uint64_t segment = 0; segment < segments; ++segment) {
      for (uint64_t i = 0; i < each; ++i) rig_.Append(1000 * segment + i, 4000);
      rig_.Seal();
    }
    rig_.Kill();
  }
  static uint64_t DeviceSector(uint32_t segment, uint32_t sector) {
    return (kMiB + segment * kMiB) / kSectorBytes + sector;
  }
  void Flip(uint32_t segment, uint32_t sector, uint64_t byte = 60) {
    rig_.drive().FlipBit(DeviceSector(segment, sector) * kSectorBytes + byte, 2);
  }
  size_t CountTold(uint32_t segment) const {
    size_t count = 0;
    for (const LogRecord& told : rig_.told) count += told.place.segment == segment;
    return count;
  }
  void ExpectToldAsAppended() {
    for (const LogRecord& told : rig_.told) {
      const LogRecord* appended = rig_.Find(told.place, told.generation);
      ASSERT_NE(appended, nullptr);
      EXPECT_TRUE(SameEntry(appended->entry, told.entry));
    }
  }
  const RecoveryCounters& counters() { return rig_.log().recovery_counters(); }

  LogRig rig_;
};

constexpr uint32_t kLast = kMiB / kSectorBytes - 1;

// Fault 3: others are untouched.
TEST_F(LogRecoveryTest, ABadFooterCostsAScanOfItsSegmentAndNoRecord) {
  FillSegments(4, 50);
  const SimDevice whole = rig_.drive();
  for (const uint32_t sector : {kLast, kLast - 1, kLast - 2}) {  // footer, its entries
    rig_.drive() = whole;
    Flip(1, sector);
    ASSERT_TRUE(rig_.Start());
    EXPECT_EQ(rig_.told.size(), 200u);
    ExpectToldAsAppended();
    EXPECT_EQ(counters().footers_damaged, 1u);
    EXPECT_EQ(counters().segments_scanned, 1u);
    EXPECT_EQ(counters().segments_sealed, 3u);
    rig_.Restart();  // it has a footer again
    EXPECT_EQ(rig_.told.size(), 200u);
    EXPECT_EQ(counters().segments_scanned, 0u);
    rig_.Kill();
  }
}

TEST_F(LogRecoveryTest, ABadGroupOfASealedSegmentCostsNothing) {
  FillSegments(2, 50);
  Flip(0, 0);
  Flip(0, 43);  // the second group
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), 100u);
  EXPECT_EQ(counters().segments_sealed, 2u);
}

TEST_F(LogRecoveryTest, ABadRecordOfAScannedSegmentCostsThatRecord) {
  FillSegments(1, 50);
  Flip(0, kLast);
  Flip(0, rig_.appended()[17].place.sector);
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), 49u);
  ExpectToldAsAppended();
  EXPECT_EQ(counters().records_damaged, 1u);
  EXPECT_EQ(counters().records, 49u);
}

TEST_F(LogRecoveryTest, ABadGroupEndsAScan) {
  FillSegments(1, 50);
  Flip(0, kLast);
  Flip(0, 43);
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), log_format::kGroupEntriesMax);
  EXPECT_EQ(counters().tails_torn, 1u);
}

TEST_F(LogRecoveryTest, ASegmentWithNothingToGoByIsFreeAndHarmsNoOther) {
  FillSegments(3, 50);
  Flip(1, kLast);
  Flip(1, 0);
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), 100u);
  EXPECT_EQ(CountTold(1), 0u);
  EXPECT_EQ(rig_.log().free_segments(), 3u);
}

// A scan that finds nothing leaves a segment that can be used, not one that nobody can give back.
TEST_F(LogRecoveryTest, ASegmentOfWhichNothingIsLeftIsFree) {
  FillSegments(1, 2);
  Flip(0, kLast);
  for (const LogRecord& record : rig_.appended()) Flip(0, record.place.sector);
  ASSERT_TRUE(rig_.Start());
  EXPECT_TRUE(rig_.told.empty());
  EXPECT_EQ(rig_.log().free_segments(), 5u);
}

TEST_F(LogRecoveryTest, AFooterThatCannotBeReadCostsNoRecord) {
  FillSegments(3, 50);
  for (const uint32_t sector : {kLast, kLast - 1}) {
    rig_.drive().BreakSector(DeviceSector(1, sector));
    ASSERT_TRUE(rig_.Start());
    EXPECT_EQ(rig_.told.size(), 150u);
    ExpectToldAsAppended();
    EXPECT_EQ(counters().footers_damaged, 1u);
    EXPECT_EQ(counters().segments_unreadable, 1u);
    rig_.Kill();
  }
}

TEST_F(LogRecoveryTest, ASectorThatCannotBeReadCostsItsRecordAndTheSegmentIsNotSealedWithoutIt) {
  FillSegments(2, 50);
  Flip(1, kLast);
  const uint64_t broken = DeviceSector(1, rig_.appended()[70].place.sector);
  rig_.drive().BreakSector(broken);
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(CountTold(1), 49u);
  // The cable was loose: in the next life it reads.
  rig_.Kill();
  std::array<std::byte, kSectorBytes> bytes;
  rig_.drive().Read(broken * kSectorBytes, absl::MakeSpan(bytes));
  rig_.drive().Write(broken * kSectorBytes, bytes);
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(CountTold(1), 50u);
}

TEST_F(LogRecoveryTest, ASegmentThatCannotBeReadAtAllIsGivenUpSoon) {
  FillSegments(2, 50);
  for (uint32_t sector = 1; sector <= kLast; ++sector) {
    rig_.drive().BreakSector(DeviceSector(1, sector));
  }
  const uint64_t errors_max = kUnreadableSectorsMax + 2 * kScanReadsMax + 4;
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(CountTold(0), 50u);
  EXPECT_EQ(CountTold(1), 0u);
  EXPECT_LE(rig_.io().counters().errors, errors_max);
}

TEST_F(LogRecoveryTest, ShortReadsCostNothing) {
  FillSegments(3, 50);
  rig_.drive().faults().short_read_ppm = 100'000;
  ASSERT_TRUE(rig_.Start());
  rig_.drive().faults().short_read_ppm = 0;
  EXPECT_GE(rig_.told.size(), 100u);
  ExpectToldAsAppended();
}

TEST_F(LogRecoveryTest, SegmentsOfAnEarlierLogOnThisDriveHoldNothing) {
  FillSegments(3, 50);
  const std::vector<std::byte> zeros(2 * kSectorBytes);
  rig_.drive().Write(0, zeros);  // the operator begins anew
  ASSERT_TRUE(rig_.Start());
  EXPECT_TRUE(rig_.told.empty());
  EXPECT_EQ(rig_.log().free_segments(), 5u);
  rig_.RunFor(absl::Milliseconds(100));
  rig_.Restart();
  EXPECT_TRUE(rig_.told.empty());
}

// A segment's sectors on another segment's place: generation and number are in each of them.
TEST_F(LogRecoveryTest, ACopiedSegmentHoldsNothing) {
  FillSegments(2, 50);
  std::vector<std::byte> bytes(kMiB);
  rig_.drive().Read(2 * kMiB, absl::MakeSpan(bytes));  // segment 1
  rig_.drive().Write(4 * kMiB, bytes);                 // onto 3
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), 100u);
  EXPECT_EQ(CountTold(3), 0u);
}

class ManySegments : public LogRecoveryTest {
 protected:
  ManySegments() : LogRecoveryTest({.segments = 40}) {}
};

TEST_F(ManySegments, ProgressRisesAndNoPollTakesLong) {
  FillSegments(38, 200);
  rig_.drive().faults().latency = absl::ZeroDuration();
  rig_.Boot();
  double progress = 0;
  size_t told = 0, polls = 0;
  while (rig_.log().state() != DiskLog::State::kReady && polls < 10'000) {
    rig_.Step();
    ++polls;
    EXPECT_GE(rig_.log().recovery_progress(), progress);
    EXPECT_LE(rig_.log().recovery_progress(), 1);
    progress = rig_.log().state() == DiskLog::State::kOpening ? 0 : rig_.log().recovery_progress();
    EXPECT_LE(rig_.told.size() - told, kRecoveredPerPollMax);
    told = rig_.told.size();
  }
  EXPECT_EQ(told, 38u * 200);
  EXPECT_EQ(progress, 1);
}

// A footer that turns out bad while others are read ahead, in any order.
TEST_F(ManySegments, ScansAndFootersTakeTheirTurns) {
  FillSegments(30, 50);
  rig_.drive().faults().latency = absl::Milliseconds(5);
  for (const uint32_t segment : {0u, 8u, 29u}) Flip(segment, kLast);
  for (const uint32_t segment : {4u, 15u, 16u, 23u}) Flip(segment, kLast - 1);
  ASSERT_TRUE(rig_.Start());
  ASSERT_EQ(rig_.told.size(), 30u * 50);
  for (size_t i = 0; i < rig_.told.size(); ++i) {
    EXPECT_EQ(rig_.told[i].entry.key, BlockKeyOf(1000 * (i / 50) + i % 50));
  }
  EXPECT_EQ(counters().segments_scanned, 7u);
  EXPECT_EQ(counters().segments_sealed, 23u);
}

class EncryptedLog : public LogRecoveryTest {
 protected:
  EncryptedLog() : LogRecoveryTest({.key = DiskKey{}}) {}
};

TEST_F(EncryptedLog, ComesBackBySealAndByScan) {
  FillSegments(2, 50);
  Flip(1, kLast);
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), 100u);
  for (const LogRecord& told : rig_.told) EXPECT_EQ(rig_.Read(told), ReadOutcome::kGood);
}

}  // namespace
}  // namespace cairn
