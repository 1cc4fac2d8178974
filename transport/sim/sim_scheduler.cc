#include "transport/sim/sim_scheduler.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cairn {
namespace {

constexpr int64_t kFirstUnixSeconds = 1'767'225'600;  // 2026-01-01

}  // namespace

int64_t SimScheduler::UnixSeconds() { return kFirstUnixSeconds + now_.ns / 1'000'000'000; }

absl::Duration SimScheduler::Between(absl::Duration min, absl::Duration max) {
  CAIRN_CHECK(min <= max);
  const auto span_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(max - min));
  return min + absl::Nanoseconds(static_cast<int64_t>(random_.Below(span_ns + 1)));
}

void SimScheduler::At(Instant at, Event event) {
  heap_.push_back({std::max(at, now_), random_.Next(), std::move(event)});
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

bool SimScheduler::RunOne() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later());
  Entry entry = std::move(heap_.back());
  heap_.pop_back();
  now_ = entry.at;
  entry.event();
  return true;
}

void SimScheduler::RunUntil(Instant until) {
  while (!heap_.empty() && heap_.front().at <= until) RunOne();
  now_ = std::max(now_, until);
}

bool SimScheduler::RunUntilTrue(const std::function<bool()>& done, absl::Duration limit) {
  const Instant until = now_ + limit;
  while (!done()) {
    if (heap_.empty() || heap_.front().at > until) {
      now_ = std::max(now_, until);
      return done();
    }
    RunOne();
  }
  return true;
}

}  // namespace cairn
