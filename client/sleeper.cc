#include "client/sleeper.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>

#include "base/status.h"

namespace cairn {

absl::StatusOr<std::unique_ptr<Sleeper>> Sleeper::Create(const std::vector<int>& descriptors) {
  FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  FileDescriptor timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll || !timer) return FromErrno(errno, "epoll, timerfd (raise LimitNOFILE)");
  std::vector<int> all = descriptors;
  all.push_back(timer.get());
  for (const int descriptor : all) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
      return FromErrno(errno, "epoll_ctl");
    }
  }
  return std::unique_ptr<Sleeper>(new Sleeper(std::move(epoll), std::move(timer)));
}

void Sleeper::WakeAt(Instant at) {
  itimerspec when{};
  const int64_t ns = std::clamp<int64_t>(at.ns, 1, INT64_MAX - 1);
  when.it_value.tv_sec = ns / 1'000'000'000;
  when.it_value.tv_nsec = ns % 1'000'000'000;
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace cairn
