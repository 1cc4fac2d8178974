#include "cache/disk/segment_writer.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace cairn {
namespace {

using log_format::Entry;
using log_format::FooterSectors;

}  // namespace

SegmentWriter::SegmentWriter(AlignedBuffer buffer, IoScheduler& scheduler, Clock& clock)
    : buffer_(std::move(buffer)), scheduler_(scheduler), clock_(clock) {
  // No more of the smallest records fit into a segment.
  entries_.reserve(buffer_.bytes().size() / kSectorBytes);
}

void SegmentWriter::Begin(const LogGeometry& geometry, uint32_t segment, uint64_t generation) {
  CAIRN_CHECK(state_ == State::kFree && generation > 0);
  CAIRN_CHECK(geometry.segment_bytes == buffer_.bytes().size());
  geometry_ = geometry;
  state_ = State::kFilling;
  segment_ = segment;
  generation_ = generation;
  failed_flushes_ = scheduler_.failed_flushes(geometry.device);
}

bool SegmentWriter::Fits(uint64_t stored_bytes) const {
  const uint64_t header = group_open_ ? 0 : 1;
  const uint64_t record = RoundUpToSector(stored_bytes) / kSectorBytes;
  return next_sector_ + header + record + FooterSectors(entries_.size() + 1) <= geometry_.sectors();
}

absl::Span<std::byte> SegmentWriter::Append(Entry entry, Place* place) {
  CAIRN_CHECK(state_ == State::kFilling && Fits(entry.stored_bytes()));
  CAIRN_CHECK(log_format::CheckIdentity(entry).ok());  // recovery would drop it
  if (!group_open_) OpenGroup();
  entry.sector = next_sector_;
  *place = {segment_, next_sector_};
  const absl::Span<std::byte> sectors = Sectors(next_sector_, entry.sectors());
  // What pads the last sector must not be an earlier segment's bytes: they may be another tenant's.
  std::memset(sectors.data() + sectors.size() - kSectorBytes, 0, kSectorBytes);
  next_sector_ += static_cast<uint32_t>(entry.sectors());
  entries_.push_back(entry);
  if (GroupIsFull()) CloseGroup();
  return sectors.first(entry.stored_bytes());
}

bool SegmentWriter::GroupIsFull() const {
  return (next_sector_ - group_sector_) * kSectorBytes >= kGroupBytesWanted ||
         entries_.size() - group_first_entry_ == log_format::kGroupEntriesMax;
}

void SegmentWriter::OpenGroup() {
  group_open_ = true;
  group_sector_ = next_sector_++;
  group_first_entry_ = entries_.size();
  group_opened_ = clock_.Now();
}

void SegmentWriter::CloseGroup() {
  if (!group_open_) return;
  group_open_ = false;
  const absl::Span<const Entry> entries = absl::MakeConstSpan(entries_).subspan(group_first_entry_);
  log_format::GroupHeader header;
  header.count = static_cast<uint16_t>(entries.size());
  header.log = geometry_.log;
  header.generation = generation_;
  header.segment = segment_;
  header.sector = group_sector_;
  header.sectors = next_sector_ - group_sector_;
  log_format::EncodeGroup(header, entries, Sectors(group_sector_, 1));
  closed_sectors_ = next_sector_;
}

void SegmentWriter::SendGroups() {
  if (sent_sectors_ == closed_sectors_) return;
  const absl::Status status =
      scheduler_.Write(geometry_.device, geometry_.OffsetOf({segment_, sent_sectors_}),
                       Sectors(sent_sectors_, closed_sectors_ - sent_sectors_), *this,
                       static_cast<uint64_t>(Step::kGroups));
  if (!status.ok()) return;  // The scheduler is full: at the next Poll.
  sent_sectors_ = closed_sectors_;
  ++writes_in_flight_;
}

void SegmentWriter::Finish() {
  CAIRN_CHECK(state_ == State::kFilling);
  if (entries_.empty()) return Release();
  CloseGroup();
  state_ = State::kSealing;
}

void SegmentWriter::Poll() {
  if (state_ != State::kFilling && state_ != State::kSealing) return;
  if (scheduler_.failed_flushes(geometry_.device) != failed_flushes_) return Fail(EIO);
  if (group_open_ && clock_.Now() - group_opened_ >= kGroupWaitMax) CloseGroup();
  SendGroups();
  if (state_ == State::kSealing) Seal();
}

void SegmentWriter::Seal() {
  if (step_in_flight_ || writes_in_flight_ > 0 || sent_sectors_ < closed_sectors_) return;
  switch (step_) {
    case Step::kGroups:
    case Step::kFooter: {
      const Step flush = step_ == Step::kGroups ? Step::kDataFlush : Step::kSealFlush;
      step_in_flight_ =
          scheduler_.Flush(geometry_.device, *this, static_cast<uint64_t>(flush)).ok();
      return;
    }
    case Step::kDataFlush:
      step_in_flight_ = WriteFooter();
      return;
    case Step::kSealFlush:
      state_ = State::kSealed;
  }
}

bool SegmentWriter::WriteFooter() {
  const uint64_t sectors = FooterSectors(entries_.size());
  const auto first = static_cast<uint32_t>(geometry_.sectors() - sectors);
  CAIRN_CHECK(first >= next_sector_);
  const absl::Span<std::byte> bytes = Sectors(first, sectors);
  log_format::EncodeFooterSectors(geometry_.NameOf(segment_, generation_), entries_, bytes);
  return scheduler_
      .Write(geometry_.device, geometry_.OffsetOf({segment_, first}), bytes, *this,
             static_cast<uint64_t>(Step::kFooter))
      .ok();
}

void SegmentWriter::OnIoEnd(uint64_t cookie, const IoResult& result) {
  const auto step = static_cast<Step>(cookie);
  if (step == Step::kGroups) {
    --writes_in_flight_;
  } else {
    step_in_flight_ = false;
    step_ = step;
  }
  if (!result.ok()) return Fail(result.ErrorNumber());
  // Failed before: the last of what was under way frees the buffer.
  if (error_number_ != 0) Fail(error_number_);
}

void SegmentWriter::Fail(int error_number) {
  if (error_number_ == 0) error_number_ = error_number;
  group_open_ = false;
  sent_sectors_ = closed_sectors_ = next_sector_;  // nothing more is sent
  if (writes_in_flight_ == 0 && !step_in_flight_) {
    state_ = State::kLost;
  } else {
    state_ = State::kSealing;  // takes no more
  }
}

void SegmentWriter::Release() {
  CAIRN_CHECK(writes_in_flight_ == 0 && !step_in_flight_);
  entries_.clear();
  state_ = State::kFree;
  next_sector_ = group_sector_ = sent_sectors_ = closed_sectors_ = 0;
  group_first_entry_ = 0;
  group_open_ = false;
  step_ = Step::kGroups;
  error_number_ = 0;
}

absl::Span<const std::byte> SegmentWriter::PayloadAt(Place place, uint64_t stored_bytes) const {
  CAIRN_CHECK(state_ != State::kFree && place.segment == segment_ && place.sector < next_sector_);
  return buffer_.bytes().subspan(place.sector * kSectorBytes, stored_bytes);
}

}  // namespace cairn
