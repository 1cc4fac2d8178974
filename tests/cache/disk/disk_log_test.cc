#include "cache/disk/disk_log.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/cache/disk/disk_log_fixture.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using State = DiskLog::State;

constexpr uint32_t kAlways = 1'000'000;  // ppm

TEST_F(DiskLogTest, WhatWasSealedIsThereInTheNextLife) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 120);
  rig_.Seal();
  EXPECT_EQ(rig_.log().counters().segments_sealed, 3u);
  EXPECT_EQ(rig_.log().counters().records_appended, 120u);
  rig_.CutPower();
  ASSERT_TRUE(rig_.Start());
  ExpectEverythingTold();
  EXPECT_EQ(rig_.log().recovery_counters().segments_sealed, 3u);
  EXPECT_EQ(rig_.log().recovery_counters().records, 120u);
  EXPECT_EQ(rig_.log().recovery_counters().segments_scanned, 0u);
  EXPECT_EQ(rig_.log().free_segments(), 2u);
}

TEST_F(DiskLogTest, WhatWasWrittenAndNotSealedIsFoundByAScanAndSealed) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 60);
  rig_.RunFor(absl::Milliseconds(100));  // the last group has waited long enough
  rig_.Kill();
  ASSERT_TRUE(rig_.Start());
  ExpectEverythingTold();
  EXPECT_EQ(rig_.log().recovery_counters().segments_scanned, 1u);
  EXPECT_EQ(rig_.log().recovery_counters().tails_torn, 0u);
  rig_.Restart();
  ExpectEverythingTold();
  EXPECT_EQ(rig_.log().recovery_counters().segments_scanned, 0u);
}

TEST_F(DiskLogTest, RecordsAreToldInTheOrderInWhichTheyWereWritten) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 120);
  rig_.Seal();
  rig_.Restart();
  for (size_t i = 0; i < rig_.told.size(); ++i) {
    EXPECT_EQ(rig_.told[i].entry.key, BlockKeyOf(i)) << i;
  }
}

TEST_F(DiskLogTest, ARecordReadsFromItsFirstMomentOn) {
  ASSERT_TRUE(rig_.Start());
  for (uint64_t i = 0; i < 120; ++i) {
    rig_.Append(i, 20'000);
    EXPECT_EQ(rig_.Read(rig_.appended().back()), ReadOutcome::kGood);
    EXPECT_EQ(rig_.Read(rig_.appended()[i / 2]), ReadOutcome::kGood);
  }
}

TEST_F(DiskLogTest, ARecordThatWasToldReadsWhileRecoveryGoesOn) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 150);
  rig_.Seal();
  rig_.Kill();
  size_t begun = 0;
  rig_.on_told = [&](const LogRecord& told) {
    begun += rig_.log().state() == State::kRecovering;
    rig_.StartRead(told);
  };
  ASSERT_TRUE(rig_.Start());
  rig_.on_told = nullptr;
  ASSERT_TRUE(rig_.RunUntil([&] { return rig_.outcomes.size() == 150; }));
  EXPECT_EQ(begun, 150u);
  for (const ReadOutcome outcome : rig_.outcomes) EXPECT_EQ(outcome, ReadOutcome::kGood);
}

TEST_F(DiskLogTest, ASegmentIsGivenBackWhenItsReadsHaveEndedAndIsThenUsedAgain) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 45);
  rig_.Seal();
  const LogRecord record = rig_.appended()[10];
  uint32_t oldest = 99;
  ASSERT_TRUE(rig_.log().OldestSealed(&oldest));
  ASSERT_EQ(oldest, record.place.segment);
  EXPECT_EQ(rig_.log().free_segments(), 4u);
  rig_.StartRead(record);
  rig_.Free(oldest);
  EXPECT_FALSE(rig_.log().OldestSealed(&oldest));
  EXPECT_EQ(rig_.log().free_segments(), 4u);  // a read is under way
  ASSERT_TRUE(rig_.RunUntil([&] { return rig_.outcomes.size() == 1; }));
  EXPECT_EQ(rig_.outcomes[0], ReadOutcome::kGood);
  EXPECT_EQ(rig_.log().free_segments(), 5u);
}

TEST_F(DiskLogTest, ARecycledSegmentsOldRecordsNeverComeBack) {
  ASSERT_TRUE(rig_.Start());
  std::set<uint32_t> used;
  for (uint64_t round = 0; round < 12; ++round) {
    AppendMany(100 * round, 40);
    rig_.Seal();
    used.insert(rig_.sealed_segments.back());
    uint32_t oldest = 0;
    if (round >= 2 && rig_.log().OldestSealed(&oldest)) rig_.Free(oldest);
  }
  EXPECT_EQ(used.size(), 5u);
  // One that was begun anew and hardly written: its old footer still stands.
  rig_.Append(5000, 100);
  rig_.RunFor(absl::Milliseconds(100));
  for (int life = 0; life < 2; ++life) {
    rig_.Restart();
    EXPECT_GE(rig_.told.size(), 81u);
    for (const LogRecord& told : rig_.told) {
      const LogRecord* appended = rig_.Find(told.place, told.generation);
      ASSERT_NE(appended, nullptr);
      EXPECT_FALSE(appended->overwritten);
      EXPECT_TRUE(SameEntry(appended->entry, told.entry));
    }
  }
}

TEST_F(DiskLogTest, AppendsStopWhenNoSegmentIsFreeAndGoOnWhenOneIs) {
  ASSERT_TRUE(rig_.Start());
  uint64_t number = 0;
  while (rig_.RunUntil([&] { return rig_.TryAppend(number, 100'000); })) ++number;
  EXPECT_EQ(number, 50u);  // five segments of ten
  uint32_t oldest = 0;
  ASSERT_TRUE(rig_.log().OldestSealed(&oldest));
  rig_.Free(oldest);
  EXPECT_TRUE(rig_.RunUntil([&] { return rig_.TryAppend(number, 100'000); }));
  EXPECT_EQ(rig_.appended().back().place.segment, oldest);
}

TEST_F(DiskLogTest, EntriesOfASegmentAreThoseThatWereWritten) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 80);
  rig_.Seal();
  for (const uint32_t segment : {0u, 1u}) {
    const auto entries = rig_.ReadEntries(segment);
    ASSERT_FALSE(entries.empty());
    for (const auto& entry : entries) {
      const LogRecord* record =
          rig_.Find({segment, entry.sector}, rig_.log().GenerationOf(segment));
      ASSERT_NE(record, nullptr);
      EXPECT_TRUE(SameEntry(record->entry, entry));
    }
  }
  ASSERT_EQ(rig_.log().ReadEntries(0), absl::OkStatus());
  EXPECT_EQ(rig_.log().ReadEntries(1).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(DiskLogTest, ALargestRecordFitsAndALargerDoesNot) {
  ASSERT_TRUE(rig_.Start());
  const uint64_t most = rig_.log().RecordBytesMax();
  EXPECT_EQ(most, kMiB - 3 * kSectorBytes);
  EXPECT_FALSE(rig_.log().CanAppend(most + 1));
  rig_.Append(1, static_cast<uint32_t>(most));
  rig_.Seal();
  rig_.Restart();
  ExpectEverythingTold();
}

TEST_F(DiskLogTest, EveryPayloadIsWrittenFromTheMemoryThatItNames) {
  ASSERT_TRUE(rig_.Start());
  const auto memory = rig_.log().WriteMemory();
  EXPECT_EQ(memory.size(), kWritersPerLog);
  for (uint64_t i = 0; i < 200; ++i) {
    rig_.Append(i, 20'000);
    const auto payload = rig_.log().Buffered(rig_.appended().back().place, 20'000);
    const bool inside = std::any_of(memory.begin(), memory.end(), [&](auto piece) {
      return payload.data() >= piece.data() &&
             payload.data() + payload.size() <= piece.data() + piece.size();
    });
    EXPECT_TRUE(inside) << i;
  }
}

TEST_F(DiskLogTest, OptionsThatCannotWorkNameTheirSetting) {
  rig_.Boot();
  const auto create = [&](uint64_t segment_bytes, uint64_t size_bytes) {
    LogOptions options = rig_.log_options();
    options.segment_bytes = segment_bytes;
    options.size_bytes = size_bytes;
    SeededRandom random(1);
    RecordCodec codec(std::nullopt);
    const auto log =
        DiskLog::Create(options, rig_.io(), rig_.scheduler(), random, codec, rig_).status();
    return std::string(Std(log.message()));
  };
  EXPECT_THAT(create(kMiB / 2, 100 * kMiB), HasSubstr("nvme_segment_bytes: 524288 must be"));
  EXPECT_THAT(create(128 * kMiB, 1000 * kMiB), HasSubstr("nvme_segment_bytes: "));
  EXPECT_THAT(create(kMiB + 1, 100 * kMiB), HasSubstr("nvme_segment_bytes: "));
  rig_.log_options().partitions = 2;
  EXPECT_THAT(create(kMiB, 5 * kMiB - 4096),
              AllOf(HasSubstr("nvme_bytes: 5116KiB for reactor 0 on"), HasSubstr("the least, 5MiB"),
                    HasSubstr("give at least 10MiB for all 2 reactors")));
}

TEST_F(DiskLogTest, AWriteErrorCostsItsSegmentAndAppendsGoOnAfterAWhile) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 40);
  rig_.Seal();
  AppendMany(100, 10);
  rig_.drive().faults().write_errno = EIO;
  ASSERT_TRUE(rig_.RunUntil([&] { return !rig_.lost_errors.empty(); }));
  EXPECT_THAT(rig_.lost_errors, ElementsAre(EIO));
  EXPECT_EQ(rig_.log().counters().segments_lost, 1u);
  EXPECT_FALSE(rig_.log().CanAppend(100));
  rig_.drive().faults().write_errno = 0;
  EXPECT_FALSE(rig_.log().CanAppend(100));  // it backs off
  EXPECT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(100); }));
  AppendMany(200, 10);
  rig_.Seal();
  EXPECT_EQ(rig_.LiveRecords().size(), 50u);
}

// Fault 9: what a failed flush forgot stays forgotten, so its segment must not count.
TEST_F(DiskLogTest, AFailedFlushIsNeverTriedAgainAndBelieved) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 20);
  rig_.drive().faults().flush_error_ppm = kAlways;
  rig_.log().Finish();
  ASSERT_TRUE(rig_.RunUntil([&] { return !rig_.lost_errors.empty(); }));
  rig_.drive().faults().flush_error_ppm = 0;
  EXPECT_TRUE(rig_.sealed_segments.empty());
  rig_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(rig_.sealed_segments.empty());
}

// Faults 10 and 11.
TEST_F(DiskLogTest, AFullOrReadOnlyDeviceStopsAppendsAndReadsGoOn) {
  for (const int error : {ENOSPC, EROFS}) {
    LogRig rig({.seed = 3});
    ASSERT_TRUE(rig.Start());
    for (uint64_t i = 0; i < 30; ++i) rig.Append(i, 20'000);
    rig.Seal();
    rig.drive().faults().write_errno = error;
    size_t taken = 0;
    for (uint64_t i = 100; i < 200; ++i) {
      taken += rig.TryAppend(i, 20'000) ? 1 : 0;
      rig.RunFor(absl::Milliseconds(60));
      EXPECT_EQ(rig.Read(rig.appended()[i % 30]), ReadOutcome::kGood);
    }
    EXPECT_LE(taken, 20u);  // one segment is tried now and then
    EXPECT_GE(rig.lost_errors.size(), 2u);
    for (const int lost : rig.lost_errors) EXPECT_EQ(lost, error);
    rig.drive().faults().write_errno = 0;
    ASSERT_TRUE(rig.RunUntil([&] { return rig.TryAppend(300, 20'000); }));
    rig.Seal();
    EXPECT_EQ(rig.LiveRecords().size(), 31u);
  }
}

TEST_F(DiskLogTest, AReadOnlyDeviceStillTellsWhatItHolds) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 60);
  rig_.RunFor(absl::Milliseconds(100));
  rig_.Kill();
  rig_.drive().faults().write_errno = EROFS;
  ASSERT_TRUE(rig_.Start());
  ExpectEverythingTold();
  rig_.RunFor(absl::Seconds(10));
  EXPECT_FALSE(rig_.log().CanAppend(100));
  EXPECT_GE(rig_.log().counters().superblock_errors, 2u);
  // The tail has no footer, and that is said.
  std::set<absl::StatusCode> codes;
  uint32_t segment = 0;
  while (rig_.log().OldestSealed(&segment)) {
    codes.insert(rig_.log().ReadEntries(segment).code());
    rig_.RunFor(absl::Milliseconds(10));
    rig_.Free(segment);
  }
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kFailedPrecondition));
}

// Fault 13.
TEST_F(DiskLogTest, ADeviceThatVanishedFailsItsReadsAndNothingElse) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 60);
  rig_.Seal();
  rig_.drive().faults().read_errno = rig_.drive().faults().write_errno = ENODEV;
  for (const LogRecord& record : rig_.appended()) {
    EXPECT_EQ(rig_.Read(record), ReadOutcome::kError);
  }
}

// Fault 12.
TEST_F(DiskLogTest, ASlowDeviceIsSlowAndNoMore) {
  rig_.drive().faults().latency *= 100;
  rig_.drive().faults().bytes_per_second /= 100;
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 100);
  rig_.Seal();
  rig_.CutPower();
  ASSERT_TRUE(rig_.Start());
  ExpectEverythingTold();
}

// Faults 2, 4 to 8: wrong bytes are never taken for right ones (LogRig looks).
TEST_F(DiskLogTest, ALyingDeviceCostsRecordsAndNeverTheTruth) {
  const std::function<void(SimDeviceFaults&)> lies[] = {
      [](auto& faults) { faults.rot_ppm = kAlways / 5; },
      [](auto& faults) { faults.lost_write_ppm = kAlways / 5; },
      [](auto& faults) { faults.misdirected_write_ppm = kAlways / 2; },
      [](auto& faults) { faults.short_read_ppm = kAlways / 5; },
      [](auto& faults) { faults.read_error_ppm = kAlways / 5; },
      [](auto& faults) { faults.repeated_end_ppm = kAlways / 2; },
  };
  for (size_t lie = 0; lie < std::size(lies); ++lie) {
    SCOPED_TRACE(lie);
    LogRig rig({.seed = 7 + lie});
    ASSERT_TRUE(rig.Start());
    ASSERT_TRUE(rig.RunUntil([&] { return rig.log().CanAppend(1); }));
    lies[lie](rig.drive().faults());
    for (uint64_t i = 0; i < 80; ++i) rig.Append(i, 20'000);
    rig.Seal();
    size_t good = 0;
    for (const LogRecord& record : rig.LiveRecords())
      good += rig.Read(record) == ReadOutcome::kGood;
    EXPECT_GT(good, 0u);
    // A completion that comes twice costs nothing, all else costs something.
    EXPECT_EQ(good == 80, lie == 5);
    EXPECT_EQ(rig.io().counters().strange_ends > 0, lie == 5);
    rig.drive().faults() = {};
    rig.CutPower();
    if (!rig.Start()) continue;  // its superblocks were hit, and that is said
    for (const LogRecord& told : rig.told) {
      const LogRecord* appended = rig.Find(told.place, told.generation);
      ASSERT_NE(appended, nullptr);
      EXPECT_TRUE(SameEntry(appended->entry, told.entry));
      rig.Read(told);
    }
  }
}

TEST_F(DiskLogTest, TooManyReadsAreRefusedUntilSomeEnd) {
  ASSERT_TRUE(rig_.Start());
  rig_.Append(1, 100);
  rig_.Seal();
  for (size_t i = 0; i < kLogReadsMax; ++i) rig_.StartRead(rig_.appended()[0]);
  AlignedBuffer memory = AlignedBuffer::Create(kSectorBytes).value();
  const auto read = [&] { return rig_.log().Read(rig_.appended()[0].place, memory.bytes(), 1); };
  EXPECT_EQ(read().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(rig_.RunUntil([&] { return rig_.outcomes.size() == kLogReadsMax; }));
  EXPECT_EQ(rig_.Read(rig_.appended()[0]), ReadOutcome::kGood);
}

TEST_F(DiskLogTest, ReadingWhatWasGivenBackIsABug) {
  ASSERT_TRUE(rig_.Start());
  rig_.Append(1, 100);
  rig_.Seal();
  const LogRecord record = rig_.appended()[0];
  rig_.Free(record.place.segment);
  AlignedBuffer memory = AlignedBuffer::Create(kSectorBytes).value();
  EXPECT_DEATH(rig_.log().Read(record.place, memory.bytes(), 1).IgnoreError(), "GenerationOf");
  EXPECT_DEATH(rig_.log().Free(record.place.segment), "kSealed");
}

}  // namespace
}  // namespace cairn
