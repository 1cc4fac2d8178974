#include "cache/disk/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace cairn {
namespace {

using log_format::Entry;
using log_format::Group;

constexpr uint64_t kFooterCookie = UINT64_MAX;

}  // namespace

void SegmentScan::Begin(uint32_t segment, uint64_t generation) {
  CAIRN_CHECK(phase_ == Phase::kDone && generation > 0);
  phase_ = Phase::kRead;
  segment_ = segment;
  generation_ = generation;
  next_sector_ = 0;
  retries_.clear();
  unreadable_sectors_ = 0;
  group_sector_ = 0;
  entries_.clear();
  footer_written_ = false;
}

bool SegmentScan::Poll(RecoverySink& sink, RecoveryCounters& counters) {
  if (phase_ == Phase::kRead && ReadPieces()) phase_ = Phase::kTell;
  if (phase_ == Phase::kTell && TellGroups(sink, counters)) {
    ++counters.segments_scanned;
    if (unreadable()) ++counters.segments_unreadable;
    phase_ = Phase::kSeal;
    WriteFooter();
  }
  if (phase_ == Phase::kSeal && !footer_in_flight_) phase_ = Phase::kDone;
  return phase_ == Phase::kDone;
}

// True: nothing is left to be read.
bool SegmentScan::ReadPieces() {
  const uint32_t sectors = geometry_.sectors();
  while (reads_in_flight_ < kScanReadsMax && !retries_.empty()) {
    if (!ReadPiece(retries_.back(), 1)) return false;
    retries_.pop_back();
  }
  while (reads_in_flight_ < kScanReadsMax && next_sector_ < sectors) {
    const uint32_t count = std::min(kScanPieceSectors, sectors - next_sector_);
    if (!ReadPiece(next_sector_, count)) return false;
    next_sector_ += count;
  }
  return reads_in_flight_ == 0 && retries_.empty() && next_sector_ == sectors;
}

// False: the scheduler is full; at the next Poll.
bool SegmentScan::ReadPiece(uint32_t sector, uint32_t sectors) {
  if (unreadable_sectors_ >= kUnreadableSectorsMax) {
    TakePiece(sector, sectors, /*good=*/false);
    return true;
  }
  const absl::Status status =
      scheduler_.Read(geometry_.device, geometry_.OffsetOf({segment_, sector}),
                      Sectors(sector, sectors), *this, uint64_t{sector} << 32 | sectors);
  if (status.ok()) ++reads_in_flight_;
  return status.ok();
}

// What cannot be read is asked for sector by sector, so that it costs its own records and no more,
// unless there is so much of it that the device is to blame.
void SegmentScan::TakePiece(uint32_t sector, uint32_t sectors, bool good) {
  if (good) return;
  if (sectors == 1 || unreadable_sectors_ >= kUnreadableSectorsMax) {
    unreadable_sectors_ += sectors;
    const absl::Span<std::byte> lost = Sectors(sector, sectors);
    std::memset(lost.data(), 0, lost.size());
    return;
  }
  for (uint32_t i = 0; i < sectors; ++i) retries_.push_back(sector + i);
}

void SegmentScan::OnIoEnd(uint64_t cookie, const IoResult& result) {
  if (cookie == kFooterCookie) {
    // Not flushed: should it be lost, the next life scans again.
    footer_in_flight_ = false;
    footer_written_ = result.ok();
    return;
  }
  --reads_in_flight_;
  TakePiece(static_cast<uint32_t>(cookie >> 32), static_cast<uint32_t>(cookie & UINT32_MAX),
            result.ok());
}

bool SegmentScan::TellGroups(RecoverySink& sink, RecoveryCounters& counters) {
  const log_format::SegmentName name = geometry_.NameOf(segment_, generation_);
  uint64_t verified_bytes = 0;
  while (verified_bytes < kVerifiedBytesPerPoll) {
    if (group_sector_ == geometry_.sectors()) return true;
    const auto group = log_format::DecodeGroup(Sectors(group_sector_, 1), name, group_sector_);
    if (!group.ok()) {
      if (absl::IsDataLoss(group.status())) ++counters.tails_torn;
      return true;
    }
    VerifyGroup(**group, sink, counters);
    verified_bytes += (*group)->header.sectors * kSectorBytes;
    group_sector_ += (*group)->header.sectors;
  }
  return false;
}

// Each record for itself: the device may have kept any of the group's sectors.
void SegmentScan::VerifyGroup(const Group& group, RecoverySink& sink, RecoveryCounters& counters) {
  for (size_t i = 0; i < group.header.count; ++i) {
    const Entry& entry = group.entries[i];
    const absl::Span<std::byte> stored =
        Sectors(entry.sector, entry.sectors()).first(entry.stored_bytes());
    if (!verifier_.Verify(entry, geometry_, generation_, segment_, stored)) {
      ++counters.records_damaged;
      continue;
    }
    entries_.push_back(entry);
    ++counters.records;
    sink.OnRecovered(entry, {segment_, entry.sector});
  }
}

// A writer leaves room for it. Not for a segment of which a later life may be able to read more.
void SegmentScan::WriteFooter() {
  if (entries_.empty() || unreadable()) return;
  const uint64_t sectors = log_format::FooterSectors(entries_.size());
  const auto first = static_cast<uint32_t>(geometry_.sectors() - sectors);
  if (first < group_sector_) return;
  const absl::Span<std::byte> bytes = Sectors(first, sectors);
  log_format::EncodeFooterSectors(geometry_.NameOf(segment_, generation_), entries_, bytes);
  footer_in_flight_ = scheduler_
                          .Write(geometry_.device, geometry_.OffsetOf({segment_, first}), bytes,
                                 *this, kFooterCookie)
                          .ok();
}

}  // namespace cairn
