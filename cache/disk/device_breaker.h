// Decides when a device has failed or slowed so much that asking it only costs time, and when to
// ask it again.
#ifndef CAIRN_CACHE_DISK_DEVICE_BREAKER_H_
#define CAIRN_CACHE_DISK_DEVICE_BREAKER_H_

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace cairn {

inline constexpr uint32_t kBreakerFailures = 5;  // in a row
inline constexpr absl::Duration kBreakerOpenMin = absl::Seconds(1);
inline constexpr absl::Duration kBreakerOpenMax = absl::Minutes(1);
// A read that takes longer counts as failed: no engine waits for it.
inline constexpr absl::Duration kBreakerSlowRead = absl::Milliseconds(500);

class DeviceBreaker {
 public:
  // An answer of the device.
  void Record(bool ok, absl::Duration taken, Instant now) {
    if (ok && taken < kBreakerSlowRead) {
      failures_ = 0;
      open_for_ = kBreakerOpenMin;
      typical_ = (typical_ * 7 + taken) / 8;
      return;
    }
    if (++failures_ < kBreakerFailures || now < open_until_) return;
    // One failure after it closed is enough to open it again.
    failures_ = kBreakerFailures - 1;
    open_until_ = now + open_for_;
    open_for_ = std::min(2 * open_for_, kBreakerOpenMax);
    ++opened_total_;
  }

  bool open(Instant now) const { return now < open_until_; }
  uint64_t opened_total() const { return opened_total_; }
  // How long a read takes of late.
  absl::Duration typical() const { return typical_; }

 private:
  uint32_t failures_ = 0;
  Instant open_until_{INT64_MIN};
  absl::Duration open_for_ = kBreakerOpenMin;
  absl::Duration typical_;
  uint64_t opened_total_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_DEVICE_BREAKER_H_
