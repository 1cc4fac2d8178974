// Time, injected. Logic reads the monotonic clock only; the wall clock serves token expiry and
// logs.
#ifndef CAIRN_BASE_CLOCK_H_
#define CAIRN_BASE_CLOCK_H_

#include <compare>
#include <cstdint>

#include <absl/time/time.h>

namespace cairn {

// A point of one process's monotonic clock. Never crosses a wire: messages carry budgets, not
// times.
struct Instant {
  int64_t ns = 0;

  friend auto operator<=>(const Instant&, const Instant&) = default;
  // Saturate, so that an infinite timeout makes kNever instead of a time in the past.
  friend Instant operator+(Instant at, absl::Duration d) {
    return {absl::ToInt64Nanoseconds(absl::Nanoseconds(at.ns) + d)};
  }
  friend Instant operator-(Instant at, absl::Duration d) {
    return {absl::ToInt64Nanoseconds(absl::Nanoseconds(at.ns) - d)};
  }
  friend absl::Duration operator-(Instant a, Instant b) {
    return absl::Nanoseconds(a.ns) - absl::Nanoseconds(b.ns);
  }
};

inline constexpr Instant kNever{INT64_MAX};

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() = 0;
  // Seconds since 1970, may jump: only for token expiry and for people.
  virtual int64_t UnixSeconds() = 0;
};

// CLOCK_MONOTONIC and CLOCK_REALTIME. Lives for ever.
Clock& RealClock();

}  // namespace cairn

#endif  // CAIRN_BASE_CLOCK_H_
