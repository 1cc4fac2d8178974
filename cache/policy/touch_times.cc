#include "cache/policy/touch_times.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"

namespace cairn {

absl::StatusOr<TouchTimes> TouchTimes::Create(size_t entries) {
  CAIRN_ASSIGN_OR_RETURN(SparseArray<Stamp> stamps, SparseArray<Stamp>::Create(entries));
  return TouchTimes(std::move(stamps));
}

void TouchTimes::Set(EntryId id, int64_t now_ms) {
  const int64_t units = (now_ms - origin_ms_) >> kUnitShift;
  CAIRN_CHECK(units >= 0 && units < int64_t{1} << kStampBits);
  stamps_[id] = {static_cast<uint8_t>(units), static_cast<uint8_t>(units >> 8),
                 static_cast<uint8_t>(units >> 16)};
  used_ = std::max(used_, id + 1);
}

void TouchTimes::MoveOrigin(int64_t now_ms) {
  const int64_t before_ms = origin_ms_;
  const int64_t after_ms = now_ms - kSpan_ms / 2;
  CAIRN_CHECK(after_ms > before_ms);
  for (EntryId id = 0; id < used_; ++id) {
    const int64_t at_ms = Of(id);
    origin_ms_ = after_ms;
    Set(id, std::max(at_ms, after_ms));
    origin_ms_ = before_ms;
  }
  origin_ms_ = after_ms;
}

}  // namespace cairn
