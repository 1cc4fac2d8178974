#include "cache/admission/write_governor.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace cairn {
namespace {

// What is offered is averaged over about this time; the reserve returns to its middle within it.
constexpr absl::Duration kOfferMemory = absl::Minutes(5);
constexpr absl::Duration kCorrection = absl::Minutes(10);

}  // namespace

WriteGovernor::WriteGovernor(uint64_t bytes_per_day, Clock& clock)
    : budget_bytes_(bytes_per_day),
      nominal_per_slot_(static_cast<double>(bytes_per_day) / kSlots),
      reserve_max_(nominal_per_slot_ * absl::FDivDuration(kReserve, kSlot)),
      clock_(clock),
      advanced_(clock.Now()),
      slot_end_(advanced_ + kSlot),
      per_slot_(nominal_per_slot_) {
  CAIRN_CHECK(bytes_per_day > 0);
  spent_.fill(static_cast<uint64_t>(nominal_per_slot_));
  spent_[slot_] = 0;
  for (const uint64_t bytes : spent_) spent_today_ += bytes;
}

void WriteGovernor::Advance() {
  const Instant now = clock_.Now();
  if (now <= advanced_) return;
  if (now - slot_end_ > kSlot * kSlots) slot_end_ = now - kSlot * kSlots;  // a day of silence
  while (slot_end_ <= now) BeginSlot();
  const absl::Duration passed = now - advanced_;
  reserve_ = std::min(reserve_max_, reserve_ + per_slot_ * absl::FDivDuration(passed, kSlot));
  offered_ *= std::exp(-absl::FDivDuration(passed, kOfferMemory));
  advanced_ = now;
}

void WriteGovernor::BeginSlot() {
  slot_ = (slot_ + 1) % kSlots;
  spent_today_ -= spent_[slot_];
  spent_[slot_] = 0;
  slot_end_ = slot_end_ + kSlot;
  per_slot_ = Pace();
}

// The highest that breaks no 24 hours' budget in any of the next slots, the current one included.
double WriteGovernor::Pace() const {
  double pace = nominal_per_slot_ * kPaceMax;
  uint64_t past = spent_today_ - spent_[slot_];
  for (size_t slots = 1; slots <= kHorizonSlots; ++slots) {
    const double left = static_cast<double>(budget_bytes_) - static_cast<double>(past);
    pace = std::min(pace, left / static_cast<double>(slots));
    past -= spent_[(slot_ + slots) % kSlots];  // gone by then
  }
  return std::max(pace, 0.0);
}

void WriteGovernor::Offer(uint64_t bytes) {
  Advance();
  offered_ += static_cast<double>(bytes);
}

void WriteGovernor::Spend(uint64_t bytes) {
  Advance();
  spent_[slot_] += bytes;
  spent_today_ += bytes;
  reserve_ -= static_cast<double>(bytes);
}

double WriteGovernor::Share() {
  Advance();
  if (reserve_ <= 0) return 0;
  const double offered_per_slot = offered_ * absl::FDivDuration(kSlot, kOfferMemory);
  const double wanted_per_slot =
      per_slot_ + (reserve_ - reserve_max_ / 2) * absl::FDivDuration(kSlot, kCorrection);
  if (wanted_per_slot >= offered_per_slot) return 1;
  return std::max(wanted_per_slot / offered_per_slot, 0.0);
}

bool WriteGovernor::Allows(uint64_t bytes) {
  Advance();
  return spent_today_ + bytes <= budget_bytes_;
}

uint64_t WriteGovernor::LeftToday() {
  Advance();
  return budget_bytes_ - std::min(budget_bytes_, spent_today_);
}

}  // namespace cairn
