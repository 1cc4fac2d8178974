#include "cache/disk/disk_log.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cache/disk/disk_log_cookie.h"

namespace cairn {
namespace {

constexpr absl::Duration kAppendBackoffMin = absl::Seconds(1);
constexpr absl::Duration kAppendBackoffMax = absl::Minutes(1);
constexpr uint32_t kSegmentsMin =
    4;  // two being written, one being freed, one that holds something

}  // namespace

DiskLog::DiskLog(const LogOptions& options, IoScheduler& scheduler, Clock& clock, Random& random,
                 RecordVerifier& verifier, LogOwner& owner)
    : options_(options),
      scheduler_(scheduler),
      clock_(clock),
      random_(random),
      verifier_(verifier),
      owner_(owner),
      append_backoff_(kAppendBackoffMin),
      next_generation_(options.incarnation << 32),
      reads_(kLogReadsMax) {
  for (size_t i = kLogReadsMax; i > 0; --i) free_reads_.push_back(static_cast<uint32_t>(i - 1));
}

absl::StatusOr<std::unique_ptr<DiskLog>> DiskLog::Create(const LogOptions& options,
                                                         IoScheduler& scheduler, Clock& clock,
                                                         Random& random, RecordVerifier& verifier,
                                                         LogOwner& owner) {
  const bool sane = options.segment_bytes >= log_format::kSegmentBytesMin &&
                    options.segment_bytes <= log_format::kSegmentBytesMax &&
                    options.segment_bytes % kSectorBytes == 0;
  if (!sane) {
    return absl::InvalidArgumentError(
        absl::StrCat("tier.nvme.segment_bytes: ", options.segment_bytes,
                     " must be 1 MiB to 64 MiB in 4 KiB steps"));
  }
  const uint64_t least = log_format::kFirstSegmentOffset + kSegmentsMin * options.segment_bytes;
  if (options.size_bytes < least) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tier.nvme.capacity_bytes: ", options.size_bytes, " a reactor on ", options.path,
        " must be at least ", least, "; give more, or smaller segments"));
  }
  auto log =
      std::unique_ptr<DiskLog>(new DiskLog(options, scheduler, clock, random, verifier, owner));
  CAIRN_RETURN_IF_ERROR(log->Build());
  return log;
}

absl::Status DiskLog::Build() {
  const uint64_t room = options_.size_bytes - log_format::kFirstSegmentOffset;
  geometry_.device = options_.device;
  geometry_.offset_bytes = options_.offset_bytes;
  geometry_.segment_bytes = options_.segment_bytes;
  geometry_.segments = static_cast<uint32_t>(
      std::min<uint64_t>(room / options_.segment_bytes, log_format::kSegmentsMax));
  segments_.resize(geometry_.segments);
  const uint64_t entry_bytes = log_format::FooterSectors(geometry_.sectors()) * kSectorBytes;
  for (const uint64_t bytes :
       {log_format::kSuperblocks * kSectorBytes, entry_bytes, geometry_.segment_bytes}) {
    CAIRN_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(bytes));
    buffers_.push_back(std::move(buffer));
  }
  for (size_t i = 0; i < kWritersPerLog; ++i) {
    CAIRN_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(geometry_.segment_bytes));
    writers_.push_back(std::make_unique<SegmentWriter>(std::move(buffer), scheduler_, clock_));
  }
  ReadSuperblocks();
  return absl::OkStatus();
}

size_t DiskLog::Poll() {
  size_t events = 0;
  if (state_ == State::kRecovering) {
    if (recovery_->Poll(owner_)) EndRecovery();
    ++events;
  }
  for (const auto& writer : writers_) {
    writer->Poll();
    TendWriter(*writer);
  }
  if (superblock_dirty_ && !superblock_busy_ && !read_only_) WriteSuperblock();
  return events;
}

void DiskLog::TendWriter(SegmentWriter& writer) {
  const uint32_t segment = writer.segment();
  if (writer.state() == SegmentWriter::State::kSealed) {
    segments_[segment].state = SegmentState::kSealed;
    segments_[segment].entries = static_cast<uint32_t>(writer.entries().size());
    sealed_.push_back(segment);
    ++counters_.segments_sealed;
    append_backoff_ = kAppendBackoffMin;
    writer.Release();
    owner_.OnSegmentSealed(segment);
  } else if (writer.state() == SegmentWriter::State::kLost) {
    ++counters_.segments_lost;
    append_again_ = clock_.Now() + append_backoff_;
    append_backoff_ = std::min(2 * append_backoff_, kAppendBackoffMax);
    owner_.OnSegmentLost(segment, writer.entries(), writer.error_number());
    writer.Release();
    Free(segment);
  }
}

SegmentWriter* DiskLog::WriterIn(SegmentWriter::State state) const {
  for (const auto& writer : writers_) {
    if (writer->state() == state) return writer.get();
  }
  return nullptr;
}

uint64_t DiskLog::RecordBytesMax() const {
  return geometry_.segment_bytes - (1 + log_format::FooterSectors(1)) * kSectorBytes;
}

bool DiskLog::CanAppend(uint64_t stored_bytes) {
  if (state_ != State::kReady || read_only_ || stored_bytes > RecordBytesMax()) return false;
  SegmentWriter* writer = WriterIn(SegmentWriter::State::kFilling);
  if (writer != nullptr && writer->Fits(stored_bytes)) return true;
  if (clock_.Now() < append_again_) return false;
  if (writer != nullptr) writer->Finish();
  writer = WriterIn(SegmentWriter::State::kFree);
  if (writer == nullptr || free_.empty()) return false;
  const uint32_t segment = free_.front();
  free_.pop_front();
  segments_[segment] = {SegmentState::kWriting, ++next_generation_, 0, 0};
  writer->Begin(geometry_, segment, next_generation_);
  return true;
}

absl::Span<std::byte> DiskLog::Append(const log_format::Entry& entry, Place* place) {
  SegmentWriter* writer = WriterIn(SegmentWriter::State::kFilling);
  CAIRN_CHECK(writer != nullptr);
  ++counters_.records_appended;
  counters_.payload_bytes_appended += entry.length;
  return writer->Append(entry, place);
}

uint64_t DiskLog::GenerationOf(uint32_t segment) const {
  return recovery_ == nullptr ? segments_[segment].generation
                              : recovery_->segments()[segment].generation;
}

void DiskLog::Finish() {
  SegmentWriter* writer = WriterIn(SegmentWriter::State::kFilling);
  if (writer == nullptr) return;
  const uint32_t segment = writer->segment();
  writer->Finish();
  if (writer->state() == SegmentWriter::State::kFree) Free(segment);  // it held nothing
}

bool DiskLog::quiet() const {
  return std::all_of(writers_.begin(), writers_.end(), [](const auto& writer) {
    return writer->state() == SegmentWriter::State::kFree;
  });
}

absl::Span<const std::byte> DiskLog::Buffered(Place place, uint64_t stored_bytes) const {
  for (const auto& writer : writers_) {
    if (writer->state() == SegmentWriter::State::kFree) continue;
    if (writer->segment() == place.segment) return writer->PayloadAt(place, stored_bytes);
  }
  return {};
}

absl::Status DiskLog::Read(Place place, absl::Span<std::byte> memory, uint64_t cookie) {
  CAIRN_CHECK(place.segment < segments_.size() && GenerationOf(place.segment) != 0);
  if (free_reads_.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat(kLogReadsMax, " reads are under way"));
  }
  const uint32_t read = free_reads_.back();
  CAIRN_RETURN_IF_ERROR(scheduler_.Read(geometry_.device, geometry_.OffsetOf(place), memory, *this,
                                        LogCookie(LogIo::kRead, read)));
  free_reads_.pop_back();
  reads_[read] = {place.segment, cookie};
  ++segments_[place.segment].reads;
  return absl::OkStatus();
}

void DiskLog::EndRead(size_t index, const IoResult& result) {
  const PendingRead read = reads_[index];
  free_reads_.push_back(static_cast<uint32_t>(index));
  --segments_[read.segment].reads;
  FreeIfQuiet(read.segment);
  owner_.OnRead(read.cookie, result);
}

bool DiskLog::OldestSealed(uint32_t* segment) const {
  if (sealed_.empty()) return false;
  *segment = sealed_.front();
  return true;
}

absl::Status DiskLog::ReadEntries(uint32_t segment) {
  if (entries_busy_) return absl::ResourceExhaustedError("entries are being read already");
  const uint32_t count = segments_[segment].entries;
  if (count == 0) return absl::FailedPreconditionError("the segment has no footer");
  const uint64_t sectors = log_format::FooterSectors(count);
  const Place at{segment, static_cast<uint32_t>(geometry_.sectors() - sectors)};
  CAIRN_RETURN_IF_ERROR(scheduler_.Read(geometry_.device, geometry_.OffsetOf(at),
                                        entry_pages().first(sectors * kSectorBytes), *this,
                                        LogCookie(LogIo::kEntries, 0)));
  entries_busy_ = true;
  entries_segment_ = segment;
  return absl::OkStatus();
}

void DiskLog::TakeEntries(const IoResult& result) {
  entries_busy_ = false;
  const Segment& segment = segments_[entries_segment_];
  if (!result.ok()) {
    return owner_.OnEntries(entries_segment_, absl::DataLossError("the footer is unreadable"));
  }
  const auto name = geometry_.NameOf(entries_segment_, segment.generation);
  const uint64_t bytes = log_format::FooterSectors(segment.entries) * kSectorBytes;
  const auto footer =
      log_format::DecodeFooter(entry_pages().subspan(bytes - kSectorBytes, kSectorBytes), name);
  if (!footer.ok()) return owner_.OnEntries(entries_segment_, footer.status());
  owner_.OnEntries(entries_segment_,
                   log_format::DecodeFooterEntries(entry_pages().first(bytes), **footer, name));
}

void DiskLog::Free(uint32_t segment) {
  segments_[segment].state = SegmentState::kLeaving;
  sealed_.erase(std::remove(sealed_.begin(), sealed_.end(), segment), sealed_.end());
  FreeIfQuiet(segment);
}

void DiskLog::FreeIfQuiet(uint32_t segment) {
  Segment& leaving = segments_[segment];
  if (leaving.state != SegmentState::kLeaving || leaving.reads > 0) return;
  leaving = Segment{};
  free_.push_back(segment);
}

void DiskLog::OnIoEnd(uint64_t cookie, const IoResult& result) {
  switch (IoOf(cookie)) {
    case LogIo::kSuperblockRead:
      return TakeSuperblocks(result);
    case LogIo::kSuperblockWrite:
      return EndSuperblockWrite(/*flush_ended=*/false, result);
    case LogIo::kSuperblockFlush:
      return EndSuperblockWrite(/*flush_ended=*/true, result);
    case LogIo::kRead:
      return EndRead(IndexOf(cookie), result);
    case LogIo::kEntries:
      return TakeEntries(result);
  }
}

}  // namespace cairn
