// What one log may write, and what it wrote, on a drive with a daily budget or without one.
#ifndef CAIRN_CACHE_ADMISSION_DRIVE_BUDGET_H_
#define CAIRN_CACHE_ADMISSION_DRIVE_BUDGET_H_

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "cache/admission/write_governor.h"

namespace cairn {

// One thread. O(1), no allocation.
class DriveBudget {
 public:
  // bytes_per_day 0: no limit.
  DriveBudget(uint64_t bytes_per_day, Clock& clock) {
    if (bytes_per_day > 0) governor_.emplace(bytes_per_day, clock);
  }

  double Share() { return governor_.has_value() ? governor_->Share() : 1; }
  void Offer(uint64_t bytes) {
    if (governor_.has_value()) governor_->Offer(bytes);
  }
  bool Allows(uint64_t bytes) { return !governor_.has_value() || governor_->Allows(bytes); }
  // 0 without a limit.
  uint64_t LeftToday() { return governor_.has_value() ? governor_->LeftToday() : 0; }

  // A record with its padding will be written.
  void Append(uint64_t bytes);
  // The drive has written so much since the start, whatever it was. What goes beyond the records
  // (groups' headers, footers, superblocks) is seen here, late by what is under way.
  void DriveWrote(uint64_t total_bytes);

 private:
  std::optional<WriteGovernor> governor_;
  uint64_t appended_bytes_ = 0;
  uint64_t besides_bytes_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_ADMISSION_DRIVE_BUDGET_H_
