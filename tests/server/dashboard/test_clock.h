// Time that goes on when it is told to.
#ifndef CAIRN_TESTS_SERVER_DASHBOARD_TEST_CLOCK_H_
#define CAIRN_TESTS_SERVER_DASHBOARD_TEST_CLOCK_H_

#include <atomic>

#include "base/clock.h"

namespace cairn {

class TestClock final : public Clock {
 public:
  Instant Now() override { return {now_ns_.load()}; }
  int64_t UnixSeconds() override { return 0; }
  void Advance(absl::Duration by) { now_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_ns_{1};
};

}  // namespace cairn

#endif  // CAIRN_TESTS_SERVER_DASHBOARD_TEST_CLOCK_H_
