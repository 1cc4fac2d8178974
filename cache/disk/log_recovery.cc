#include "cache/disk/log_recovery.h"

#include <algorithm>

#include "base/check.h"

namespace cairn {
namespace {

using log_format::Entry;

// A cookie names the last or the first sector of a segment and the sector of the buffer that it was
// read into, or a footer by its place in the order.
constexpr uint64_t kLookCookie = uint64_t{1} << 63;

uint64_t CookieOf(uint64_t end, uint32_t sector) { return kLookCookie | end << 16 | sector; }

// A footer has at most one entry per sector of its segment.
uint64_t SlotStride(const LogGeometry& geometry) {
  return log_format::FooterSectors(geometry.sectors()) * kSectorBytes;
}

}  // namespace

LogRecovery::LogRecovery(const LogGeometry& geometry, IoScheduler& scheduler,
                         absl::Span<std::byte> buffer, RecordVerifier& verifier)
    : geometry_(geometry),
      scheduler_(scheduler),
      buffer_(buffer),
      segments_(geometry.segments),
      looks_(geometry.segments),
      scan_(geometry_, scheduler, buffer, verifier) {
  CAIRN_CHECK(buffer.size() >= geometry.segment_bytes);
  CAIRN_CHECK(buffer.size() >= kFootersAhead * SlotStride(geometry));
  CAIRN_CHECK(buffer.size() >= kLooksMax * kSectorBytes);
  for (size_t i = kLooksMax; i > 0; --i) free_sectors_.push_back(static_cast<uint32_t>(i - 1));
}

double LogRecovery::progress() const {
  const double all = 2.0 * std::max<double>(1, geometry_.segments);
  const double looked = static_cast<double>(ends_ended_) / 2;
  const double told =
      phase_ == Phase::kLook ? 0 : geometry_.segments - static_cast<double>(order_.size() - at_);
  return (looked + told) / all;
}

bool LogRecovery::Poll(RecoverySink& sink) {
  if (phase_ == Phase::kLook) {
    StartLooks();
    if (ends_ended_ < 2 * uint64_t{geometry_.segments}) return false;
    Order();
    phase_ = Phase::kTell;
  }
  if (phase_ == Phase::kTell && Tell(sink)) phase_ = Phase::kDone;
  return phase_ == Phase::kDone;
}

void LogRecovery::StartLooks() {
  while (ends_asked_ < 2 * uint64_t{geometry_.segments} && !free_sectors_.empty()) {
    const auto segment = static_cast<uint32_t>(ends_asked_ / 2);
    const uint32_t sector = ends_asked_ % 2 == 0 ? geometry_.sectors() - 1 : 0;
    const uint32_t into = free_sectors_.back();
    const absl::Status status =
        scheduler_.Read(geometry_.device, geometry_.OffsetOf({segment, sector}), LookSector(into),
                        *this, CookieOf(ends_asked_, into));
    if (!status.ok()) return;  // The scheduler is full: at the next Poll.
    free_sectors_.pop_back();
    ++ends_asked_;
  }
}

void LogRecovery::OnIoEnd(uint64_t cookie, const IoResult& result) {
  if ((cookie & kLookCookie) == 0) {
    slots_[cookie % kFootersAhead] = {/*ended=*/true, result.ok()};
    --footers_in_flight_;
    return;
  }
  const uint64_t end = (cookie & ~kLookCookie) >> 16;
  const auto into = static_cast<uint32_t>(cookie & 0xffff);
  TakeLook(static_cast<uint32_t>(end / 2), end % 2 == 0, result, LookSector(into));
  free_sectors_.push_back(into);
  ++ends_ended_;
}

void LogRecovery::TakeLook(uint32_t segment, bool last, const IoResult& result,
                           absl::Span<const std::byte> sector) {
  Look& look = looks_[segment];
  const log_format::SegmentName name = geometry_.NameOf(segment, 0);
  if (!result.ok()) {
    look.unreadable = true;
    look.footer_damaged |= last;
  } else if (!last) {
    const auto group = log_format::DecodeGroup(sector, name, 0);
    if (group.ok()) look.first_generation = (*group)->header.generation;
  } else if (const auto footer = log_format::DecodeFooter(sector, name); footer.ok()) {
    look.footer_generation = (*footer)->generation;
    look.entries = (*footer)->count;
  } else {
    look.footer_damaged = absl::IsDataLoss(footer.status());
  }
}

// A footer counts unless the segment was begun anew after it. Without one, what its first group
// leads to is scanned.
void LogRecovery::Order() {
  for (uint32_t i = 0; i < geometry_.segments; ++i) {
    const Look& look = looks_[i];
    if (look.footer_damaged) ++counters_.footers_damaged;
    if (look.footer_generation != 0 && look.footer_generation >= look.first_generation) {
      segments_[i] = {look.footer_generation, look.entries};
    } else if (look.first_generation != 0) {
      segments_[i] = {look.first_generation, 0};
    } else if (look.unreadable) {
      ++counters_.segments_unreadable;
    }
    if (segments_[i].generation != 0) order_.push_back(i);
  }
  std::sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
    return segments_[a].generation < segments_[b].generation;
  });
  looks_ = {};
}

// One step of the segment whose turn it is. True: all are told.
bool LogRecovery::Tell(RecoverySink& sink) {
  if (at_ == order_.size()) return true;
  AskForFooters();
  const bool sealed = segments_[order_[at_]].entries > 0;
  if (sealed ? TellFooter(sink) : Scan(sink)) NextSegment();
  return at_ == order_.size();
}

// Up to the next segment that has to be scanned: that takes all of the buffer.
void LogRecovery::AskForFooters() {
  while (!scanning_ && asked_ < order_.size() && asked_ < at_ + kFootersAhead) {
    const uint32_t segment = order_[asked_];
    if (segments_[segment].entries == 0) return;
    const uint64_t bytes = FooterBytes(segment);
    const auto first = static_cast<uint32_t>(geometry_.sectors() - bytes / kSectorBytes);
    slots_[asked_ % kFootersAhead] = {};
    if (!scheduler_
             .Read(geometry_.device, geometry_.OffsetOf({segment, first}), SlotBytes(asked_, bytes),
                   *this, asked_)
             .ok()) {
      return;
    }
    ++asked_;
    ++footers_in_flight_;
  }
}

absl::Span<std::byte> LogRecovery::SlotBytes(size_t nth, uint64_t bytes) const {
  const uint64_t stride = SlotStride(geometry_);
  CAIRN_CHECK(bytes <= stride);
  return buffer_.subspan(nth % kFootersAhead * stride, bytes);
}

// Sets entries_ to those of the footer whose turn it is. False: they cannot be believed.
bool LogRecovery::OpenFooter() {
  const uint32_t segment = order_[at_];
  const absl::Span<std::byte> bytes = SlotBytes(at_, FooterBytes(segment));
  const auto name = geometry_.NameOf(segment, segments_[segment].generation);
  if (!slots_[at_ % kFootersAhead].good) return false;
  const auto footer = log_format::DecodeFooter(bytes.last(kSectorBytes), name);
  if (!footer.ok() || (*footer)->count != segments_[segment].entries) return false;
  const auto entries = log_format::DecodeFooterEntries(bytes, **footer, name);
  if (entries.ok()) entries_ = *entries;
  return entries.ok();
}

// True: all of it is told.
bool LogRecovery::TellFooter(RecoverySink& sink) {
  const uint32_t segment = order_[at_];
  if (asked_ <= at_ || !slots_[at_ % kFootersAhead].ended) return false;
  if (entries_.empty() && !OpenFooter()) {
    // A bad footer costs a scan of its segment. What was read ahead is read again after that.
    ++counters_.footers_damaged;
    segments_[segment].entries = 0;
    return false;
  }
  for (size_t i = 0; i < kRecoveredPerPollMax && told_ < entries_.size(); ++i) {
    const Entry& entry = entries_[told_++];
    ++counters_.records;
    sink.OnRecovered(entry, {segment, entry.sector});
  }
  if (told_ < entries_.size()) return false;
  ++counters_.segments_sealed;
  return true;
}

bool LogRecovery::Scan(RecoverySink& sink) {
  Segment& segment = segments_[order_[at_]];
  if (!scanning_) {
    if (footers_in_flight_ > 0) return false;
    scan_.Begin(order_[at_], segment.generation);
    scanning_ = true;
  }
  if (!scan_.Poll(sink, counters_)) return false;
  scanning_ = false;
  segment.entries = scan_.footer_entries();
  if (scan_.told() == 0 && !scan_.unreadable()) segment.generation = 0;
  asked_ = at_ + 1;
  return true;
}

void LogRecovery::NextSegment() {
  entries_ = {};
  told_ = 0;
  ++at_;
}

}  // namespace cairn
