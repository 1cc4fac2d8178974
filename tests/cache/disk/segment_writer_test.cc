#include "cache/disk/segment_writer.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "tests/cache/disk/log_records.h"
#include "tests/cache/disk/manual_queue.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using log_format::Entry;
using State = SegmentWriter::State;

constexpr uint64_t kSegmentBytes = 4u << 20;
constexpr uint32_t kSectors = kSegmentBytes / kSectorBytes;
constexpr uint64_t kGeneration = 77;
constexpr uint32_t kSegment = 2;

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriterTest() {
    geometry_.device = DeviceId{1};
    geometry_.offset_bytes = 64 * kSectorBytes;
    geometry_.segment_bytes = kSegmentBytes;
    geometry_.segments = 8;
    geometry_.log.bytes.fill(std::byte{9});
  }

  // Fills the payload as an owner does.
  Place Append(uint64_t number, uint32_t length) {
    const Entry entry = EntryOf(number, length);
    Place place;
    const auto payload = PayloadOf(entry.key, length);
    const absl::Span<std::byte> memory = writer_.Append(entry, &place);
    EXPECT_EQ(memory.size(), length);
    std::memcpy(memory.data(), payload.data(), length);
    return place;
  }
  void Poll() {
    io_.Poll();
    writer_.Poll();
    io_.Poll();
  }
  // The device does its first request.
  void EndOne(int error_number = 0) {
    const Io io = queue_.started().at(0);
    if (io.kind == IoKind::kWrite && error_number == 0) {
      const uint64_t at = io.offset_bytes - geometry_.OffsetOf({kSegment, 0});
      ASSERT_LE(at + io.memory.size(), kSegmentBytes);
      std::memcpy(image_.data() + at, io.memory.data(), io.memory.size());
      writes_.push_back(static_cast<uint32_t>(at / kSectorBytes));
    }
    queue_.End(0, error_number);
    Poll();
  }
  void RunUntilIdle() {
    Poll();
    while (!queue_.started().empty()) EndOne();
    Poll();
  }
  void Seal() {
    writer_.Finish();
    RunUntilIdle();
    ASSERT_EQ(writer_.state(), State::kSealed);
  }
  absl::Span<const std::byte> Sector(uint32_t sector) const {
    return absl::MakeConstSpan(image_).subspan(sector * kSectorBytes, kSectorBytes);
  }
  log_format::SegmentName Name() const { return geometry_.NameOf(kSegment, kGeneration); }
  // What the device holds, by its footer; checks every payload.
  std::vector<Entry> Sealed() {
    const auto footer = log_format::DecodeFooter(Sector(kSectors - 1), Name());
    EXPECT_EQ(footer.status(), absl::OkStatus());
    if (!footer.ok()) return {};
    const auto entries = log_format::DecodeFooterEntries(
        absl::MakeConstSpan(image_).subspan((*footer)->entry_sector * kSectorBytes), **footer,
        Name());
    EXPECT_EQ(entries.status(), absl::OkStatus());
    for (const Entry& entry : *entries) {
      const auto payload = PayloadOf(entry.key, entry.length);
      EXPECT_EQ(std::memcmp(Sector(entry.sector).data(), payload.data(), entry.length), 0);
    }
    return {entries->begin(), entries->end()};
  }

  SimScheduler clock_{1};
  ManualQueue queue_;
  LogGeometry geometry_;
  AlignedBuffer buffer_ = AlignedBuffer::Create(kSegmentBytes).value();
  const absl::Span<std::byte> memory_ = buffer_.bytes();
  IoScheduler io_{queue_, clock_};
  SegmentWriter writer_{std::move(buffer_), io_, clock_};
  std::vector<std::byte> image_ = std::vector<std::byte>(kSegmentBytes);
  std::vector<uint32_t> writes_;  // first sectors, in the order in which they ended
};

TEST_F(SegmentWriterTest, ASealedSegmentHoldsEveryRecordOnceInItsGroupsAndOnceInItsFooter) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  std::vector<Place> places;
  for (uint64_t i = 0; i < 100; ++i) {
    places.push_back(Append(i, static_cast<uint32_t>(1 + i * 97)));
    EXPECT_EQ(places.back().segment, kSegment);
  }
  Seal();
  const std::vector<Entry> sealed = Sealed();
  ASSERT_EQ(sealed.size(), 100u);
  size_t in_groups = 0;
  for (uint32_t sector = 0; in_groups < 100;) {
    const auto group = log_format::DecodeGroup(Sector(sector), Name(), sector);
    ASSERT_EQ(group.status(), absl::OkStatus());
    for (size_t i = 0; i < (*group)->header.count; ++i, ++in_groups) {
      EXPECT_TRUE(SameEntry((*group)->entries[i], sealed[in_groups]));
      EXPECT_EQ(sealed[in_groups].sector, places[in_groups].sector);
    }
    sector += (*group)->header.sectors;
  }
}

TEST_F(SegmentWriterTest, SealsInTheOrderThatMakesASealMeanSomething) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  for (uint64_t i = 0; i < 3; ++i) Append(i, 1u << 20);
  writer_.Finish();
  EXPECT_EQ(writer_.state(), State::kSealing);
  Poll();
  // Groups, and nothing else before they have ended.
  ASSERT_GT(queue_.Count(IoKind::kWrite), 1u);
  while (queue_.Count(IoKind::kWrite) > 0) {
    EXPECT_EQ(queue_.Count(IoKind::kFlush), 0u);
    EndOne();
  }
  // A flush, and no footer before it has ended.
  ASSERT_EQ(queue_.started().size(), 1u);
  ASSERT_EQ(queue_.started()[0].kind, IoKind::kFlush);
  EndOne();
  // The footer.
  ASSERT_EQ(queue_.started().size(), 1u);
  ASSERT_EQ(queue_.started()[0].kind, IoKind::kWrite);
  EXPECT_EQ(queue_.started()[0].offset_bytes, geometry_.OffsetOf({kSegment, kSectors - 2}));
  EndOne();
  // A flush, and no seal before it has ended.
  ASSERT_EQ(queue_.started().size(), 1u);
  ASSERT_EQ(queue_.started()[0].kind, IoKind::kFlush);
  EXPECT_EQ(writer_.state(), State::kSealing);
  EndOne();
  EXPECT_EQ(writer_.state(), State::kSealed);
  EXPECT_EQ(Sealed().size(), 3u);
}

// Fault 9: whatever step fails, the segment is lost with its errno and nothing more is written.
TEST_F(SegmentWriterTest, AnErrorOfAnyStepAbandonsTheSegment) {
  for (const int error : {EIO, ENOSPC, EROFS}) {
    for (size_t failing = 0;; ++failing) {
      writer_.Begin(geometry_, kSegment, kGeneration);
      for (uint64_t i = 0; i < 3; ++i) Append(i, 1u << 20);
      writer_.Finish();
      Poll();
      for (size_t i = 0; i < failing && !queue_.started().empty(); ++i) EndOne();
      if (queue_.started().empty()) break;  // sealed before
      EndOne(error);
      // What was sent before still ends; nothing is sent after it.
      size_t left = queue_.started().size();
      while (!queue_.started().empty()) {
        EXPECT_EQ(writer_.state(), State::kSealing);
        EndOne();
        ASSERT_LT(queue_.started().size(), left--);
      }
      ASSERT_EQ(writer_.state(), State::kLost);
      EXPECT_EQ(writer_.error_number(), error);
      EXPECT_EQ(writer_.entries().size(), 3u);
      writer_.Release();
    }
    ASSERT_EQ(writer_.state(), State::kSealed);
    writer_.Release();
  }
}

// The device may have forgotten our writes too, and the next flush succeeds with nothing to do.
TEST_F(SegmentWriterTest, AnothersFailedFlushAbandonsTheSegment) {
  class Other final : public IoClient {
    void OnIoEnd(uint64_t, const IoResult&) override {}
  } other;
  const auto fail_a_flush = [&](DeviceId device) {
    ASSERT_EQ(io_.Flush(device, other, 0), absl::OkStatus());
    io_.Poll();
    queue_.End(queue_.started().size() - 1, EIO);
    io_.Poll();
  };
  fail_a_flush(geometry_.device);  // before it is begun: nothing of it is there to be forgotten
  writer_.Begin(geometry_, kSegment, kGeneration);
  Append(1, 2u << 20);
  RunUntilIdle();
  fail_a_flush(DeviceId{7});
  Poll();
  EXPECT_EQ(writer_.state(), State::kFilling);
  fail_a_flush(geometry_.device);
  Poll();
  EXPECT_EQ(writer_.state(), State::kLost);
  EXPECT_EQ(writer_.error_number(), EIO);
}

TEST_F(SegmentWriterTest, AShortWriteIsAnError) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  Append(1, 100);
  writer_.Finish();
  Poll();
  queue_.End(0, 0, kSectorBytes);
  Poll();
  EXPECT_EQ(writer_.state(), State::kLost);
  EXPECT_EQ(writer_.error_number(), EIO);
}

TEST_F(SegmentWriterTest, AnErrorWhileFillingTakesNoMore) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  Append(1, 2u << 20);  // a group of its own: sent at once
  Append(2, 100);
  Poll();
  ASSERT_EQ(queue_.started().size(), 3u);  // chunks
  Append(3, 3u << 19);                     // another transfer
  Poll();
  EndOne(EIO);
  EndOne();
  EXPECT_EQ(writer_.state(), State::kFilling);
  EndOne();  // the first transfer's last chunk
  EXPECT_EQ(writer_.state(), State::kSealing);
  while (!queue_.started().empty()) EndOne();
  EXPECT_EQ(writer_.state(), State::kLost);
  EXPECT_EQ(writer_.entries().size(), 3u);
}

TEST_F(SegmentWriterTest, AGroupGoesWhenItIsFullOrHasWaited) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  // By entries.
  for (uint64_t i = 0; i < log_format::kGroupEntriesMax; ++i) {
    Poll();
    EXPECT_TRUE(queue_.started().empty()) << i;
    Append(i, 100);
  }
  Poll();
  EXPECT_EQ(queue_.Bytes(IoKind::kWrite), (1 + log_format::kGroupEntriesMax) * kSectorBytes);
  RunUntilIdle();
  // By bytes.
  Append(100, static_cast<uint32_t>(kGroupBytesWanted - 2 * kSectorBytes));
  Poll();
  EXPECT_TRUE(queue_.started().empty());
  Append(101, 1);
  Poll();
  EXPECT_EQ(queue_.Bytes(IoKind::kWrite), kGroupBytesWanted);
  RunUntilIdle();
  // By time.
  Append(102, 1);
  clock_.RunFor(kGroupWaitMax - absl::Microseconds(1));
  Poll();
  EXPECT_TRUE(queue_.started().empty());
  EXPECT_FALSE(writer_.quiet());
  clock_.RunFor(absl::Microseconds(1));
  Poll();
  EXPECT_EQ(queue_.Bytes(IoKind::kWrite), 2 * kSectorBytes);
  RunUntilIdle();
  EXPECT_TRUE(writer_.quiet());
}

TEST_F(SegmentWriterTest, FitsToTheLastSectorAndTheFooterAlwaysDoes) {
  for (const uint32_t length : {1u, 4096u, 4097u, 100'000u, 1u << 20}) {
    writer_.Begin(geometry_, kSegment, kGeneration);
    uint64_t count = 0;
    while (writer_.Fits(length)) Append(count++, length);
    const auto used = writer_.entries().back();
    const uint64_t left = kSectors - used.sector - used.sectors();
    // No room for one more record, its group's header and its entry.
    EXPECT_LT(left, used.sectors() + 1 + log_format::FooterSectors(count + 1)) << length;
    Seal();
    EXPECT_EQ(Sealed().size(), count);
    writer_.Release();
  }
  // The largest that there is.
  writer_.Begin(geometry_, kSegment, kGeneration);
  EXPECT_TRUE(writer_.Fits(kSegmentBytes - 3 * kSectorBytes));
  EXPECT_FALSE(writer_.Fits(kSegmentBytes - 3 * kSectorBytes + 1));
}

TEST_F(SegmentWriterTest, PadsWithZerosAndNotWithAnEarlierTenantsBytes) {
  std::memset(memory_.data(), 0xee, memory_.size());
  writer_.Begin(geometry_, kSegment, kGeneration);
  const Place one = Append(1, 100);
  const Place two = Append(2, 5000);
  Seal();
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  const auto first = Sector(one.sector).subspan(100);
  EXPECT_TRUE(std::all_of(first.begin(), first.end(), is_zero));
  const auto second = Sector(two.sector + 1).subspan(5000 - kSectorBytes);
  EXPECT_TRUE(std::all_of(second.begin(), second.end(), is_zero));
  const auto entries = Sector(kSectors - 2).subspan(2 * sizeof(Entry));
  EXPECT_TRUE(std::all_of(entries.begin(), entries.end(), is_zero));
}

TEST_F(SegmentWriterTest, APayloadCanBeReadFromItsMemoryUntilItIsReleased) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  const Place place = Append(1, 5000);
  const auto payload = PayloadOf(BlockKeyOf(1), 5000);
  EXPECT_EQ(writer_.PayloadAt(place, 5000), absl::MakeConstSpan(payload));
  Seal();
  EXPECT_EQ(writer_.PayloadAt(place, 5000), absl::MakeConstSpan(payload));
  writer_.Release();
  EXPECT_DEATH(writer_.PayloadAt(place, 5000), "kFree");
}

TEST_F(SegmentWriterTest, WithoutARecordNothingIsWritten) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  clock_.RunFor(absl::Seconds(1));
  Poll();
  writer_.Finish();
  EXPECT_EQ(writer_.state(), State::kFree);
  Poll();
  EXPECT_TRUE(queue_.started().empty());
}

TEST_F(SegmentWriterTest, TheNextSegmentHasNothingOfTheLast) {
  for (uint64_t round = 0; round < 3; ++round) {
    writer_.Begin(geometry_, kSegment, kGeneration);
    for (uint64_t i = 0; i < 5; ++i) Append(10 * round + i, 200);
    Seal();
    const std::vector<Entry> sealed = Sealed();
    ASSERT_EQ(sealed.size(), 5u);
    EXPECT_EQ(sealed[0].key, BlockKeyOf(10 * round));
    writer_.Release();
  }
}

TEST_F(SegmentWriterTest, WaitsForAFullScheduler) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  Append(1, 100);
  writer_.Finish();
  // Others have taken every operation.
  class Others final : public IoClient {
    void OnIoEnd(uint64_t, const IoResult&) override {}
  } others;
  while (io_.Read(DeviceId{0}, 0, memory_.first(kSectorBytes), others, 0).ok()) {
  }
  Poll();
  EXPECT_EQ(queue_.Count(IoKind::kWrite), 0u);
  RunUntilIdle();
  EXPECT_EQ(writer_.state(), State::kSealed);
}

// What recovery would drop is refused where it is made.
TEST_F(SegmentWriterTest, ARecordThatBreaksARuleIsABug) {
  writer_.Begin(geometry_, kSegment, kGeneration);
  Entry entry = EntryOf(33, 100);
  entry.parent = BlockKey{};
  Place place;
  EXPECT_DEATH(writer_.Append(entry, &place), "CheckIdentity");
}

TEST_F(SegmentWriterTest, AllocatesNothingPerRecord) {
  if (!AllocationsAreCounted()) GTEST_SKIP() << "the sanitizer owns operator new";
  const Entry entry = EntryOf(1, 4096);
  writes_.reserve(10'000);
  const auto work = [&] {
    writer_.Begin(geometry_, kSegment, kGeneration);
    Place place;
    while (writer_.Fits(entry.stored_bytes())) writer_.Append(entry, &place);
    writer_.Finish();
    RunUntilIdle();
    writer_.Release();
  };
  work();
  EXPECT_EQ(AllocationsOf(work), 0u);
}

}  // namespace
}  // namespace cairn
