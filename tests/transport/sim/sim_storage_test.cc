#include "transport/sim/sim_storage.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr uint64_t kSectors = 256;
constexpr uint32_t kAlways = 1'000'000;  // ppm

// Memory at an address that a device accepts.
struct alignas(kSectorBytes) Sectors {
  std::byte bytes[16 * kSectorBytes];

  absl::Span<std::byte> first(uint64_t count) { return {bytes, count * kSectorBytes}; }
};

class SimStorageTest : public testing::Test {
 protected:
  explicit SimStorageTest(uint64_t seed = 1) : scheduler_(seed) { Boot(); }

  void Boot() {
    queue_ = storage_.CreateQueue();
    device_ = queue_->Open({.path = "nvme0", .size_bytes = kSectors * kSectorBytes}).value();
  }
  void CutPowerAndBoot() {
    queue_.reset();
    storage_.CutPower();
    Boot();
  }
  SimDevice& drive() { return storage_.device("nvme0"); }
  SimDeviceFaults& faults() { return drive().faults(); }

  // Memory full of one byte, for ever.
  absl::Span<std::byte> Full(uint8_t value, uint64_t sectors) {
    memory_.emplace_back(std::make_unique<Sectors>());
    std::memset(memory_.back()->bytes, value, sizeof(Sectors));
    return memory_.back()->first(sectors);
  }
  void Submit(IoKind kind, uint64_t sector, absl::Span<std::byte> memory, uint64_t tag) {
    const Io io{kind, device_, sector * kSectorBytes, memory, tag};
    ASSERT_EQ(queue_->Submit({&io, 1}), absl::OkStatus());
  }
  // All completions until nothing happens any more, in their order.
  std::vector<IoEnd> Settle() {
    std::vector<IoEnd> ended;
    do {
      IoEnd end;
      while (queue_->Poll({&end, 1}) == 1) ended.push_back(end);
    } while (scheduler_.RunOne());
    return ended;
  }
  IoEnd Do(IoKind kind, uint64_t sector, absl::Span<std::byte> memory) {
    Submit(kind, sector, memory, 77);
    const std::vector<IoEnd> ended = Settle();
    EXPECT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended.at(0).tag, 77u);
    return ended.at(0);
  }
  IoEnd Write(uint64_t sector, uint8_t value, uint64_t sectors = 1) {
    return Do(IoKind::kWrite, sector, Full(value, sectors));
  }
  IoEnd Flush() { return Do(IoKind::kFlush, 0, {}); }
  // What the drive holds, past all faults; the sector must be of one byte.
  uint8_t Held(uint64_t sector) {
    SimDevice::Sector bytes;
    drive().Read(sector * kSectorBytes, absl::MakeSpan(bytes));
    for (const std::byte byte : bytes) EXPECT_EQ(byte, bytes[0]);
    return static_cast<uint8_t>(bytes[0]);
  }
  size_t CountHeld(uint8_t value) {
    size_t count = 0;
    for (uint64_t sector = 0; sector < kSectors; ++sector) count += Held(sector) == value;
    return count;
  }

  SimScheduler scheduler_;
  int wakes_ = 0;
  SimStorage storage_{scheduler_, [this] { ++wakes_; }};
  std::unique_ptr<BlockQueue> queue_;
  DeviceId device_{};
  std::deque<std::unique_ptr<Sectors>> memory_;
};

TEST_F(SimStorageTest, AHealthyDriveTellsTheTruth) {
  EXPECT_EQ(queue_->SizeBytes(device_), kSectors * kSectorBytes);
  EXPECT_EQ(Write(3, 0xaa, 4).bytes, 4 * kSectorBytes);
  EXPECT_EQ(Write(5, 0xbb).error_number, 0);
  EXPECT_EQ(Flush().error_number, 0);
  const auto read = Full(0xff, 6);
  const IoEnd end = Do(IoKind::kRead, 2, read);
  EXPECT_EQ(end.error_number, 0);
  EXPECT_EQ(end.bytes, read.size());
  const uint8_t expected[] = {0, 0xaa, 0xaa, 0xbb, 0xaa, 0};  // zero where nothing was written
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(static_cast<uint8_t>(read[i * kSectorBytes + 17]), expected[i]) << i;
  }
  EXPECT_EQ(drive().written_sectors(), 4u);
}

TEST_F(SimStorageTest, ACompletionWakesAndTakesItsTime) {
  faults().latency = absl::Microseconds(100);
  faults().bytes_per_second = 40'960'000;  // a sector in 100 us
  const Instant begun = scheduler_.Now();
  Submit(IoKind::kRead, 0, Full(0, 1), 1);
  EXPECT_TRUE(queue_->Arm());
  EXPECT_EQ(wakes_, 0);
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_EQ(wakes_, 1);
  EXPECT_FALSE(queue_->Arm());
  EXPECT_GE(scheduler_.Now() - begun, absl::Microseconds(200));
  EXPECT_LE(scheduler_.Now() - begun, absl::Microseconds(300));
}

TEST_F(SimStorageTest, AnotherProcessCannotOpenADriveThatIsOpen) {
  const auto second = storage_.CreateQueue();
  EXPECT_EQ(second->Open({.path = "nvme0"}).status().code(), absl::StatusCode::kFailedPrecondition);
  queue_.reset();
  EXPECT_TRUE(second->Open({.path = "nvme0"}).ok());
}

TEST_F(SimStorageTest, ADriveGrowsAndIsNeverCut) {
  queue_.reset();
  for (const uint64_t sectors : {kSectors / 2, kSectors * 2}) {
    const auto queue = storage_.CreateQueue();
    const auto device = queue->Open({.path = "nvme0", .size_bytes = sectors * kSectorBytes});
    EXPECT_EQ(queue->SizeBytes(*device), std::max(sectors, kSectors) * kSectorBytes);
  }
}

TEST_F(SimStorageTest, APowerCutKeepsWhatWasFlushedAndSomeOfTheRest) {
  Write(0, 1, 16);
  Write(16, 1, 16);
  Flush();
  Write(16, 9, 16);
  Write(16, 2, 16);  // twice over what is durable
  Write(32, 3, 16);
  Write(48, 3, 16);
  CutPowerAndBoot();
  for (uint64_t sector = 0; sector < 16; ++sector) EXPECT_EQ(Held(sector), 1);
  const size_t old = CountHeld(1) - 16, overwritten = CountHeld(2), fresh = CountHeld(3);
  EXPECT_EQ(old + overwritten, 16u);
  EXPECT_GT(old, 0u);
  EXPECT_GT(overwritten, 0u);
  EXPECT_GT(fresh, 0u);
  EXPECT_LT(fresh, 32u);
  // What it kept is durable.
  CutPowerAndBoot();
  EXPECT_EQ(CountHeld(2), overwritten);
  EXPECT_EQ(CountHeld(3), fresh);
}

TEST_F(SimStorageTest, AProcesssDeathKeepsWhatEndedAndSomeOfWhatWasUnderWay) {
  Write(0, 1, 16);
  for (uint64_t i = 1; i < 5; ++i) Submit(IoKind::kWrite, 16 * i, Full(2, 16), i);
  queue_.reset();
  Boot();
  EXPECT_EQ(CountHeld(1), 16u);
  EXPECT_GT(CountHeld(2), 0u);
  EXPECT_LT(CountHeld(2), 64u);
  EXPECT_TRUE(Settle().empty());  // nobody hears of them
}

TEST_F(SimStorageTest, AFlushCoversOnlyWhatHasEnded) {
  faults().latency = absl::ZeroDuration();
  Submit(IoKind::kWrite, 0, Full(1, 16), 1);  // takes longer than the flush
  Submit(IoKind::kFlush, 0, {}, 2);
  const std::vector<IoEnd> ended = Settle();
  ASSERT_EQ(ended.size(), 2u);
  ASSERT_EQ(ended[0].tag, 2u);
  CutPowerAndBoot();
  EXPECT_LT(CountHeld(1), 16u);
}

TEST_F(SimStorageTest, ErrorsThatLastAreReportedAndChangeNothing) {
  Write(0, 1);
  for (const int error : {EIO, ENOSPC, EROFS}) {
    faults().write_errno = error;
    EXPECT_EQ(Write(0, 2).error_number, error);
    EXPECT_EQ(Flush().error_number, error);
    EXPECT_EQ(Do(IoKind::kRead, 0, Full(0, 1)).error_number, 0);
  }
  Submit(IoKind::kWrite, 0, Full(2, 1), 1);
  queue_.reset();  // nor when the process dies
  EXPECT_EQ(Held(0), 1);
  faults().write_errno = 0;
  faults().read_errno = EIO;
  Boot();
  const auto memory = Full(9, 1);
  EXPECT_EQ(Do(IoKind::kRead, 0, memory).error_number, EIO);
  EXPECT_EQ(memory[0], std::byte{9});
}

TEST_F(SimStorageTest, ADriveThatVanishedCannotBeOpened) {
  queue_.reset();
  faults().read_errno = ENODEV;
  EXPECT_EQ(storage_.CreateQueue()->Open({.path = "nvme0"}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SimStorageTest, ReadsFailNowAndThen) {
  faults().read_error_ppm = kAlways;
  EXPECT_EQ(Do(IoKind::kRead, 0, Full(0, 1)).error_number, EIO);
  EXPECT_EQ(Write(0, 1).error_number, 0);
}

TEST_F(SimStorageTest, AFailedWriteWroteSomeOfItsSectors) {
  faults().write_error_ppm = kAlways;
  EXPECT_EQ(Write(0, 1, 16).error_number, EIO);
  EXPECT_GT(CountHeld(1), 0u);
  EXPECT_LT(CountHeld(1), 16u);
}

TEST_F(SimStorageTest, WhatAFailedFlushForgotNoLaterFlushBringsBack) {
  Write(0, 1, 16);
  faults().flush_error_ppm = kAlways;
  EXPECT_EQ(Flush().error_number, EIO);
  faults().flush_error_ppm = 0;
  EXPECT_EQ(Flush().error_number, 0);
  EXPECT_GT(CountHeld(1), 0u);
  EXPECT_LT(CountHeld(1), 16u);
}

TEST_F(SimStorageTest, AShortReadReportsNoError) {
  Write(0, 1, 16);
  faults().short_read_ppm = kAlways;
  const auto memory = Full(9, 16);
  const IoEnd end = Do(IoKind::kRead, 0, memory);
  EXPECT_EQ(end.error_number, 0);
  ASSERT_LT(end.bytes, memory.size());
  for (size_t i = 0; i < memory.size(); ++i) {
    ASSERT_EQ(memory[i], i < end.bytes ? std::byte{1} : std::byte{9}) << i;
  }
}

TEST_F(SimStorageTest, ALostWriteIsAcknowledgedAndForgotten) {
  Write(0, 1);
  faults().lost_write_ppm = kAlways;
  EXPECT_EQ(Write(0, 2).bytes, kSectorBytes);
  EXPECT_EQ(Held(0), 1);
}

TEST_F(SimStorageTest, AMisdirectedWriteLandsElsewhere) {
  faults().misdirected_write_ppm = kAlways;
  for (uint8_t value = 1; value < 5; ++value) {
    EXPECT_EQ(Write(0, value, 2).bytes, 2 * kSectorBytes);
    EXPECT_EQ(CountHeld(value), 2u);
  }
  EXPECT_EQ(Held(0), 0);  // with this seed
}

TEST_F(SimStorageTest, RotFlipsOneBitForGood) {
  Write(0, 0, 16);
  faults().rot_ppm = kAlways;
  const auto memory = Full(0, 16);
  Do(IoKind::kRead, 0, memory);
  faults().rot_ppm = 0;
  const auto again = Full(0, 16);
  Do(IoKind::kRead, 0, again);
  EXPECT_EQ(memory, again);
  int bits = 0;
  for (const std::byte byte : memory) bits += std::popcount(static_cast<unsigned>(byte));
  EXPECT_EQ(bits, 1);
}

TEST_F(SimStorageTest, ABrokenSectorFailsItsReadsUntilItIsWritten) {
  Write(0, 1, 16);
  drive().BreakSector(5);
  EXPECT_EQ(Do(IoKind::kRead, 0, Full(0, 5)).error_number, 0);
  EXPECT_EQ(Do(IoKind::kRead, 0, Full(0, 6)).error_number, EIO);
  EXPECT_EQ(Do(IoKind::kRead, 5, Full(0, 1)).error_number, EIO);
  EXPECT_EQ(Do(IoKind::kRead, 6, Full(0, 1)).error_number, 0);
  Write(5, 2);
  EXPECT_EQ(Do(IoKind::kRead, 0, Full(0, 6)).error_number, 0);
}

TEST_F(SimStorageTest, ARepeatedCompletionComesTwice) {
  faults().repeated_end_ppm = kAlways;
  Submit(IoKind::kWrite, 0, Full(1, 1), 5);
  const std::vector<IoEnd> ended = Settle();
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].tag, 5u);
  EXPECT_EQ(ended[1].tag, 5u);
  EXPECT_EQ(queue_->in_flight(), 0u);
}

TEST_F(SimStorageTest, WhatLiesBeyondTheEndIsNotThere) {
  EXPECT_EQ(Write(kSectors - 1, 1, 2).error_number, ENOSPC);
  EXPECT_EQ(Do(IoKind::kRead, kSectors, Full(0, 1)).bytes, 0u);
  EXPECT_EQ(Do(IoKind::kRead, kSectors - 1, Full(0, 2)).bytes, kSectorBytes);
}

// Everything at once, by its seed.
class SimStorageSeed : public SimStorageTest {
 public:
  explicit SimStorageSeed(uint64_t seed) : SimStorageTest(seed) {}
  void TestBody() override {}

  uint64_t HashOfRun() {
    faults().read_error_ppm = faults().write_error_ppm = faults().flush_error_ppm = kAlways / 10;
    faults().short_read_ppm = faults().lost_write_ppm = faults().rot_ppm = kAlways / 10;
    faults().misdirected_write_ppm = faults().repeated_end_ppm = kAlways / 10;
    for (uint64_t i = 0; i < 200; ++i) {
      const auto kind = static_cast<IoKind>(i % 3);
      const bool flush = kind == IoKind::kFlush;
      Submit(kind, i % 200, flush ? absl::Span<std::byte>() : Full(i % 251, 1 + i % 16), i);
      if (i % 20 == 0) Settle();
      if (i % 70 == 0) CutPowerAndBoot();
    }
    Settle();
    uint64_t hash = scheduler_.trace().hash();
    for (uint64_t sector = 0; sector < kSectors; ++sector) {
      SimDevice::Sector bytes;
      drive().Read(sector * kSectorBytes, absl::MakeSpan(bytes));
      hash = hash * 31 + SimFingerprint(bytes);
    }
    return hash;
  }
};

TEST(SimStorage, ASeedGivesOneCourseOfEvents) {
  const uint64_t first = SimStorageSeed(4).HashOfRun();
  EXPECT_EQ(SimStorageSeed(4).HashOfRun(), first);
  EXPECT_NE(SimStorageSeed(5).HashOfRun(), first);
}

}  // namespace
}  // namespace cairn
