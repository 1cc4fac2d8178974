#include "server/cli/termination.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

#include "base/status.h"
#include "server/cli/hangup.h"

namespace cairn {

absl::StatusOr<Termination> Termination::Create() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (HangupWasIgnored()) {
    signal(SIGHUP, SIG_IGN);
  } else {
    sigaddset(&signals, SIGHUP);
  }
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  FileDescriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) return FromErrno(errno, "signalfd");
  return Termination(std::move(descriptor));
}

bool Termination::Wait(absl::Duration limit) {
  if (came_) return true;
  pollfd waiting{descriptor_.get(), POLLIN, 0};
  const int64_t limit_ms = absl::ToInt64Milliseconds(limit);
  came_ = poll(&waiting, 1, limit_ms > INT32_MAX ? -1 : static_cast<int>(limit_ms)) == 1;
  return came_;
}

}  // namespace cairn
