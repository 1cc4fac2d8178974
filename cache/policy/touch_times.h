// When each block was used last, in 3 bytes a block: 56 of an entry, 5 of the key table and these
// make the 64 bytes that a block may cost.
#ifndef CAIRN_CACHE_POLICY_TOUCH_TIMES_H_
#define CAIRN_CACHE_POLICY_TOUCH_TIMES_H_

#include <array>
#include <cstdint>

#include <absl/status/statusor.h>

#include "cache/entry.h"
#include "cache/sparse_array.h"

namespace cairn {

// One thread. Times are in ms, kept to 64 ms and relative to an origin, so that they never wrap:
// after 12 days the origin moves up by 6 at least, and what was used before it counts as used just
// then. So blocks that rested for more than 6 days may all look equally old.
class TouchTimes {
 public:
  static constexpr int kUnitShift = 6;
  static constexpr int kStampBits = 24;
  static constexpr int64_t kSpan_ms = int64_t{1} << (kStampBits + kUnitShift);

  // kResourceExhausted: address space.
  static absl::StatusOr<TouchTimes> Create(size_t entries);

  // Never later than what was set.
  int64_t Of(EntryId id) const {
    const Stamp& stamp = stamps_[id];
    const uint32_t units = stamp[0] | uint32_t{stamp[1]} << 8 | uint32_t{stamp[2]} << 16;
    return origin_ms_ + (int64_t{units} << kUnitShift);
  }
  // From the origin on, and not OutOfSpan.
  void Set(EntryId id, int64_t now_ms);

  bool OutOfSpan(int64_t now_ms) const { return now_ms - origin_ms_ >= kSpan_ms; }
  // To half a span before now. About 1 ms per million blocks, every 6 days.
  void MoveOrigin(int64_t now_ms);
  int64_t origin_ms() const { return origin_ms_; }

 private:
  using Stamp = std::array<uint8_t, 3>;
  static_assert(sizeof(Stamp) == 3);

  explicit TouchTimes(SparseArray<Stamp> stamps) : stamps_(std::move(stamps)) {}

  SparseArray<Stamp> stamps_;
  EntryId used_ = 0;  // from here on none was ever set
  int64_t origin_ms_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_TOUCH_TIMES_H_
