#include "cache/admission/drive_budget.h"

namespace cairn {

void DriveBudget::Append(uint64_t bytes) {
  appended_bytes_ += bytes;
  if (governor_.has_value()) governor_->Spend(bytes);
}

void DriveBudget::DriveWrote(uint64_t total_bytes) {
  if (total_bytes <= appended_bytes_ + besides_bytes_) return;
  const uint64_t more_bytes = total_bytes - appended_bytes_ - besides_bytes_;
  besides_bytes_ += more_bytes;
  if (governor_.has_value()) governor_->Spend(more_bytes);
}

}  // namespace cairn
