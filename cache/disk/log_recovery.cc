#include "cache/disk/log_recovery.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace cairn {
namespace {

using log_format::Entry;
using log_format::Footer;
using log_format::Group;

// A cookie names a segment, which of its ends, and the sector of the buffer that it was read into.
constexpr uint64_t kFooterEnd = 0;
constexpr uint64_t kFirstEnd = 1;
constexpr uint64_t kWhole = 2;
constexpr uint64_t kNewFooter = 3;

uint64_t Cookie(uint32_t segment, uint64_t end, uint32_t slot) {
  return uint64_t{segment} << 32 | end << 16 | slot;
}

}  // namespace

LogRecovery::LogRecovery(const LogGeometry& geometry, IoScheduler& scheduler,
                         absl::Span<std::byte> buffer, RecordVerifier& verifier)
    : geometry_(geometry),
      scheduler_(scheduler),
      buffer_(buffer),
      verifier_(verifier),
      segments_(geometry.segments),
      looks_(geometry.segments) {
  CAIRN_CHECK(buffer.size() >= geometry.segment_bytes);
  const size_t slots = std::min<size_t>(kRecoveryReadsMax, buffer.size() / kSectorBytes);
  for (size_t i = slots; i > 0; --i) slots_free_.push_back(static_cast<uint32_t>(i - 1));
}

double LogRecovery::progress() const {
  const double all = 2.0 * std::max<double>(1, geometry_.segments);
  const size_t done = phase_ == Phase::kLook
                          ? answered_
                          : geometry_.segments + at_ + (geometry_.segments - order_.size());
  return static_cast<double>(done) / all;
}

bool LogRecovery::Poll(RecoverySink& sink) {
  if (phase_ == Phase::kLook) {
    StartLooks();
    if (answered_ < geometry_.segments) return false;
    Order();
    phase_ = Phase::kRead;
  }
  if (phase_ == Phase::kRead) {
    if (at_ == order_.size()) {
      phase_ = Phase::kDone;
      return true;
    }
    if (!reading_ && !read_) StartRead();
    if (read_ && !resealing_ && (scanning_ ? TellScan(sink) : TellFooter(sink))) {
      scanning_ ? Reseal() : NextSegment();
    }
  }
  return phase_ == Phase::kDone;
}

void LogRecovery::StartLooks() {
  while (looked_ < geometry_.segments && slots_free_.size() >= 2) {
    const uint32_t segment = looked_;
    for (const uint64_t end : {kFooterEnd, kFirstEnd}) {
      const uint32_t slot = slots_free_.back();
      const uint32_t sector = end == kFirstEnd ? 0 : geometry_.sectors() - 1;
      const absl::Status status =
          scheduler_.Read(geometry_.device, geometry_.OffsetOf({segment, sector}), Slot(slot),
                          *this, Cookie(segment, end, slot));
      // The scheduler holds more than this asks for, unless others fill it: then the end of this
      // segment that could not be asked for counts as unreadable, and its records are lost to us.
      if (!status.ok()) {
        looks_[segment].unreadable = true;
        continue;
      }
      slots_free_.pop_back();
      ++looks_[segment].ends_pending;
    }
    ++looked_;
    if (looks_[segment].ends_pending == 0) ++answered_;
  }
}

void LogRecovery::OnIoEnd(uint64_t cookie, const IoResult& result) {
  const auto segment = static_cast<uint32_t>(cookie >> 32);
  const uint64_t end = cookie >> 16 & 0xffff;
  const auto slot = static_cast<uint32_t>(cookie & 0xffff);
  if (end == kWhole) {
    reading_ = false;
    read_ = true;
    read_failed_ = !result.ok();
    return;
  }
  if (end == kNewFooter) {
    // Not flushed: should it be lost, the next life scans again.
    segments_[segment].sealed = result.ok();
    segments_[segment].entries = static_cast<uint32_t>(scanned_.size());
    resealing_ = false;
    return NextSegment();
  }
  if (end == kFooterEnd) {
    TakeFooter(segment, result, Slot(slot));
  } else {
    TakeFirstGroup(segment, result, Slot(slot));
  }
  slots_free_.push_back(slot);
  if (--looks_[segment].ends_pending == 0) ++answered_;
}

void LogRecovery::TakeFooter(uint32_t segment, const IoResult& result,
                             absl::Span<const std::byte> sector) {
  Look& look = looks_[segment];
  if (!result.ok()) {
    look.footer_damaged = true;
    return;
  }
  const auto footer = log_format::DecodeFooter(sector, geometry_.NameOf(segment, 0));
  if (footer.ok()) {
    look.footer_generation = (*footer)->generation;
    look.entry_sector = (*footer)->entry_sector;
    look.entries = (*footer)->count;
  } else {
    look.footer_damaged = absl::IsDataLoss(footer.status());
  }
}

void LogRecovery::TakeFirstGroup(uint32_t segment, const IoResult& result,
                                 absl::Span<const std::byte> sector) {
  Look& look = looks_[segment];
  if (!result.ok()) {
    look.unreadable = true;
    return;
  }
  const auto group = log_format::DecodeGroup(sector, geometry_.NameOf(segment, 0), 0);
  if (group.ok()) look.first_generation = (*group)->header.generation;
}

// A footer counts unless the segment was begun anew after it. Without one, what its first group
// leads to is scanned.
void LogRecovery::Order() {
  for (uint32_t i = 0; i < geometry_.segments; ++i) {
    const Look& look = looks_[i];
    if (look.footer_damaged) ++counters_.footers_damaged;
    if (look.footer_generation != 0 && look.footer_generation >= look.first_generation) {
      segments_[i] = {look.footer_generation, true, look.entries};
    } else if (look.first_generation != 0) {
      segments_[i] = {look.first_generation, false, 0};
    } else if (look.unreadable) {
      ++counters_.segments_unreadable;
    }
    if (segments_[i].generation != 0) order_.push_back(i);
  }
  std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
    return segments_[a].generation < segments_[b].generation;
  });
}

void LogRecovery::StartRead() {
  const uint32_t segment = order_[at_];
  scanning_ = !segments_[segment].sealed;
  const uint32_t first = scanning_ ? 0 : looks_[segment].entry_sector;
  const uint64_t bytes = geometry_.segment_bytes - first * kSectorBytes;
  told_ = 0;
  scan_sector_ = 0;
  scanned_.clear();
  reading_ = scheduler_
                 .Read(geometry_.device, geometry_.OffsetOf({segment, first}), buffer_.first(bytes),
                       *this, Cookie(segment, kWhole, 0))
                 .ok();
}

bool LogRecovery::TellFooter(RecoverySink& sink) {
  const uint32_t segment = order_[at_];
  const log_format::SegmentName name = geometry_.NameOf(segment, segments_[segment].generation);
  const uint32_t first = looks_[segment].entry_sector;
  const uint64_t bytes = geometry_.segment_bytes - first * kSectorBytes;
  const auto footer = read_failed_ ? absl::DataLossError("")
                                   : log_format::DecodeFooter(
                                         buffer_.subspan(bytes - kSectorBytes, kSectorBytes), name);
  const auto entries = footer.ok()
                           ? log_format::DecodeFooterEntries(buffer_.first(bytes), **footer, name)
                           : footer.status();
  if (!entries.ok()) {
    // A bad footer costs a scan of its segment.
    ++counters_.footers_damaged;
    segments_[segment].sealed = false;
    read_ = false;
    return false;
  }
  const size_t end = std::min(entries->size(), told_ + kRecoveredPerPollMax);
  for (; told_ < end; ++told_) {
    sink.OnRecovered((*entries)[told_], {segment, (*entries)[told_].sector});
    ++counters_.records;
  }
  if (told_ < entries->size()) return false;
  ++counters_.segments_sealed;
  return true;
}

bool LogRecovery::TellScan(RecoverySink& sink) {
  const uint32_t segment = order_[at_];
  if (read_failed_) {
    ++counters_.segments_unreadable;
    segments_[segment].generation = 0;
    return true;
  }
  const log_format::SegmentName name = geometry_.NameOf(segment, segments_[segment].generation);
  size_t told = 0;
  while (told < kRecoveredPerPollMax) {
    const uint64_t offset = scan_sector_ * kSectorBytes;
    const auto group =
        offset < geometry_.segment_bytes
            ? log_format::DecodeGroup(buffer_.subspan(offset, kSectorBytes), name, scan_sector_)
            : absl::NotFoundError("the end");
    if (!group.ok()) {
      if (absl::IsDataLoss(group.status())) ++counters_.tails_torn;
      ++counters_.segments_scanned;
      return true;
    }
    told += VerifyGroup(**group, sink);
    scan_sector_ += (*group)->header.sectors;
  }
  return false;
}

// Each record for itself: the device may have kept any of the group's sectors.
size_t LogRecovery::VerifyGroup(const Group& group, RecoverySink& sink) {
  const uint32_t segment = order_[at_];
  for (size_t i = 0; i < group.header.count; ++i) {
    const Entry& entry = group.entries[i];
    const uint64_t offset = entry.sector * kSectorBytes;
    const bool whole = offset + entry.stored_bytes() <= buffer_.size() &&
                       verifier_.Verify(entry, geometry_, segments_[segment].generation, segment,
                                        buffer_.subspan(offset, entry.stored_bytes()));
    if (!whole) {
      ++counters_.records_damaged;
      continue;
    }
    sink.OnRecovered(entry, {segment, entry.sector});
    scanned_.push_back(entry);
    ++counters_.records;
  }
  return group.header.count;
}

// Writes the footer that the scanned segment lacks, so that no later life scans it again. A writer
// leaves room for it.
void LogRecovery::Reseal() {
  const uint32_t segment = order_[at_];
  if (segments_[segment].generation == 0 || scanned_.empty()) return NextSegment();
  const uint64_t sectors = log_format::FooterSectors(scanned_.size());
  const auto first = static_cast<uint32_t>(geometry_.sectors() - sectors);
  if (first < scan_sector_) return NextSegment();
  const absl::Span<std::byte> bytes = buffer_.subspan(first * kSectorBytes, sectors * kSectorBytes);
  std::memset(bytes.data(), 0, bytes.size());
  std::memcpy(bytes.data(), scanned_.data(), scanned_.size() * sizeof(Entry));
  Footer footer;
  footer.log = geometry_.log;
  footer.generation = segments_[segment].generation;
  footer.segment = segment;
  footer.count = static_cast<uint32_t>(scanned_.size());
  footer.entry_sector = first;
  log_format::EncodeFooter(footer, scanned_, bytes.last(kSectorBytes));
  resealing_ = scheduler_
                   .Write(geometry_.device, geometry_.OffsetOf({segment, first}), bytes, *this,
                          Cookie(segment, kNewFooter, 0))
                   .ok();
  if (!resealing_) NextSegment();
}

void LogRecovery::NextSegment() {
  read_ = false;
  ++at_;
}

}  // namespace cairn
