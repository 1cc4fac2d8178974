#include "base/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/check.h"
#include "base/status.h"

namespace cairn {

absl::StatusOr<EventFd> EventFd::Create() {
  FileDescriptor descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!descriptor) return FromErrno(errno, "eventfd (raise LimitNOFILE or ulimit -n)");
  return EventFd(std::move(descriptor));
}

void EventFd::Signal() {
  const int saved_errno = errno;
  const uint64_t one = 1;
  // EAGAIN: the counter is full, so fd() is readable already.
  const ssize_t written = ::write(fd(), &one, sizeof(one));
  CAIRN_CHECK(written == sizeof(one) || errno == EAGAIN);
  errno = saved_errno;
}

void EventFd::Drain() {
  uint64_t signals;
  // EAGAIN: nothing was signalled.
  const ssize_t got = ::read(fd(), &signals, sizeof(signals));
  CAIRN_CHECK(got == sizeof(signals) || errno == EAGAIN);
}

}  // namespace cairn
