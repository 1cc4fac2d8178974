#include "cache/disk/disk_log.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr absl::Duration kAppendBackoffMin = absl::Seconds(1);
constexpr absl::Duration kAppendBackoffMax = absl::Minutes(1);
// A cookie of ours is a pending read's index, or this.
constexpr uint64_t kEntriesCookie = UINT64_MAX;

}  // namespace

DiskLog::DiskLog(const LogOptions& options, IoScheduler& scheduler, Clock& clock,
                 RecordVerifier& verifier, LogOwner& owner)
    : options_(options),
      scheduler_(scheduler),
      clock_(clock),
      verifier_(verifier),
      owner_(owner),
      append_backoff_(kAppendBackoffMin),
      reads_(kLogReadsMax) {
  for (size_t i = kLogReadsMax; i > 0; --i) free_reads_.push_back(static_cast<uint32_t>(i - 1));
}

size_t DiskLog::Poll() {
  if (state_ == State::kFailed) return 0;
  superblock_->Poll();
  counters_.superblock_errors = superblock_->write_errors();
  if (state_ == State::kOpening) TakeSuperblock();
  const bool recovering = state_ == State::kRecovering;
  if (recovering && recovery_->Poll(owner_)) EndRecovery();
  for (const auto& writer : writers_) {
    writer->Poll();
    TendWriter(*writer);
  }
  return recovering ? 1 : 0;
}

std::vector<absl::Span<std::byte>> DiskLog::WriteMemory() const {
  std::vector<absl::Span<std::byte>> memory;
  memory.reserve(writers_.size());
  for (const auto& writer : writers_) memory.push_back(writer->memory());
  return memory;
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
    Leave(segment);
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

std::optional<uint64_t> DiskLog::NextGeneration() const {
  const std::optional<uint64_t> sequence = superblock_->durable_sequence();
  if (!sequence.has_value()) return std::nullopt;
  return std::max(last_generation_, *sequence << 32) + 1;
}

bool DiskLog::CanAppend(uint64_t stored_bytes) {
  if (state_ != State::kReady || stored_bytes > RecordBytesMax()) return false;
  SegmentWriter* writer = WriterIn(SegmentWriter::State::kFilling);
  if (writer != nullptr && writer->Fits(stored_bytes)) return true;
  if (clock_.Now() < append_again_) return false;
  if (writer != nullptr) writer->Finish();
  writer = WriterIn(SegmentWriter::State::kFree);
  const std::optional<uint64_t> generation = NextGeneration();
  if (writer == nullptr || free_.empty() || !generation.has_value()) return false;
  const uint32_t segment = free_.front();
  free_.pop_front();
  last_generation_ = *generation;
  segments_[segment] = {SegmentState::kWriting, *generation, 0, 0};
  writer->Begin(geometry_, segment, *generation);
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
  if (writer->state() == SegmentWriter::State::kFree) Leave(segment);  // it held nothing
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
  CAIRN_CHECK(place.sector + memory.size() / kSectorBytes <= geometry_.sectors());
  if (free_reads_.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat(kLogReadsMax, " reads are under way"));
  }
  const uint32_t read = free_reads_.back();
  CAIRN_RETURN_IF_ERROR(
      scheduler_.Read(geometry_.device, geometry_.OffsetOf(place), memory, *this, read));
  free_reads_.pop_back();
  reads_[read] = {place.segment, cookie};
  ++segments_[place.segment].reads;
  return absl::OkStatus();
}

void DiskLog::EndRead(size_t index, const IoResult& result) {
  const PendingRead read = reads_[index];
  free_reads_.push_back(static_cast<uint32_t>(index));
  owner_.OnRead(read.cookie, result);
  // Afterwards: the owner may ask for the segment's generation.
  --segments_[read.segment].reads;
  FreeIfQuiet(read.segment);
}

bool DiskLog::OldestSealed(uint32_t* segment) const {
  if (sealed_.empty()) return false;
  *segment = sealed_.front();
  return true;
}

absl::Status DiskLog::ReadEntries(uint32_t segment) {
  if (entries_busy_) return absl::ResourceExhaustedError("entries are being read already");
  const uint32_t count = segments_[segment].entries;
  CAIRN_CHECK(segments_[segment].state == SegmentState::kSealed);
  if (count == 0) return absl::FailedPreconditionError("the segment has no footer");
  const uint64_t sectors = log_format::FooterSectors(count);
  const Place at{segment, static_cast<uint32_t>(geometry_.sectors() - sectors)};
  CAIRN_RETURN_IF_ERROR(scheduler_.Read(geometry_.device, geometry_.OffsetOf(at),
                                        entry_pages_->bytes().first(sectors * kSectorBytes), *this,
                                        kEntriesCookie));
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
  const absl::Span<std::byte> bytes =
      entry_pages_->bytes().first(log_format::FooterSectors(segment.entries) * kSectorBytes);
  const auto footer = log_format::DecodeFooter(bytes.last(kSectorBytes), name);
  if (!footer.ok()) return owner_.OnEntries(entries_segment_, footer.status());
  owner_.OnEntries(entries_segment_, log_format::DecodeFooterEntries(bytes, **footer, name));
}

void DiskLog::Free(uint32_t segment) {
  CAIRN_CHECK(segments_[segment].state == SegmentState::kSealed);
  const auto found = std::find(sealed_.begin(), sealed_.end(), segment);
  if (found != sealed_.end()) sealed_.erase(found);
  Leave(segment);
}

void DiskLog::Leave(uint32_t segment) {
  segments_[segment].state = SegmentState::kLeaving;
  FreeIfQuiet(segment);
}

void DiskLog::FreeIfQuiet(uint32_t segment) {
  Segment& leaving = segments_[segment];
  if (leaving.state != SegmentState::kLeaving || leaving.reads > 0) return;
  leaving = Segment{};
  free_.push_back(segment);
}

void DiskLog::OnIoEnd(uint64_t cookie, const IoResult& result) {
  if (cookie == kEntriesCookie) return TakeEntries(result);
  EndRead(cookie, result);
}

}  // namespace cairn
