// Spreads a drive's daily write budget over the day.
//
// The promise: in no 24 hours, wherever they begin, does the drive write more than its budget.
// The pace: the highest rate that could be kept up for the next six hours without breaking it, at
// most twice the nominal one. So what a quiet night left unused is used by the following day, and
// a burst is paid for within a day. What was written before this governor was made is not known,
// and taken to be the nominal rate: a restart gives no new budget.
//
// One per log: a budget for a drive that several reactors share is split among their logs, for
// runs spread evenly over reactors, and a common governor would make each block touch a line that
// other cores write.
#ifndef CAIRN_CACHE_ADMISSION_WRITE_GOVERNOR_H_
#define CAIRN_CACHE_ADMISSION_WRITE_GOVERNOR_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include <absl/time/time.h>

#include "base/clock.h"

namespace cairn {

// One thread. O(1), no allocation.
class WriteGovernor {
 public:
  static constexpr absl::Duration kSlot = absl::Minutes(5);
  static constexpr size_t kSlotsPerDay = 288;  // 24 hours of them
  static constexpr size_t kHorizonSlots = 72;  // the unused part is spread over the next six hours
  static constexpr double kPaceMax = 2;        // of the nominal rate
  // A reserve of so much at the nominal rate takes up the bursts between two looks at the share.
  static constexpr absl::Duration kReserve = absl::Minutes(10);

  // bytes_per_day > 0. The clock outlives the governor.
  WriteGovernor(uint64_t bytes_per_day, Clock& clock);

  // So much would be written if everything was. Of what is then refused, too.
  void Offer(uint64_t bytes);
  // So much was written, or certainly will be.
  void Spend(uint64_t bytes);

  // Which part of what is offered should be written, 0 to 1; 0 while the reserve is used up. Asked
  // before the Offer of what it is asked for.
  double Share();
  // Whether the day's budget has room for a write that was begun, or must be: whatever the pace.
  bool Allows(uint64_t bytes);
  // Of the 24 hours up to now.
  uint64_t LeftToday();

 private:
  // The slots that any part of 24 hours up to now can lie in.
  static constexpr size_t kSlots = kSlotsPerDay + 1;

  void Advance();
  void BeginSlot();
  double Pace() const;

  const uint64_t budget_bytes_;
  const double nominal_per_slot_;
  const double reserve_max_;
  Clock& clock_;
  Instant advanced_;  // to here
  Instant slot_end_;  // of the current slot
  size_t slot_ = 0;   // the current one, an index of spent_
  std::array<uint64_t, kSlots> spent_;
  uint64_t spent_today_ = 0;  // their sum
  double per_slot_;           // pace of the current slot
  double reserve_ = 0;        // below zero: overdrawn by the last write
  double offered_ = 0;        // fading sum
};

}  // namespace cairn

#endif  // CAIRN_CACHE_ADMISSION_WRITE_GOVERNOR_H_
