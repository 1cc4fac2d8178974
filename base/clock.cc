#include "base/clock.h"

#include <time.h>

#include "base/check.h"

namespace cairn {
namespace {

timespec Read(clockid_t clock) {
  timespec time;
  CAIRN_CHECK(clock_gettime(clock, &time) == 0);
  return time;
}

class SystemClock final : public Clock {
 public:
  Instant Now() override {
    const timespec time = Read(CLOCK_MONOTONIC);
    return {int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
  }
  int64_t UnixSeconds() override { return Read(CLOCK_REALTIME).tv_sec; }
};

}  // namespace

Clock& RealClock() {
  static SystemClock clock;
  return clock;
}

}  // namespace cairn
