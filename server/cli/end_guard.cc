#include "server/cli/end_guard.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/cli/exit_code.h"

namespace cairn {

EndGuard::~EndGuard() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    ended_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void EndGuard::Begin() {
  thread_ = std::thread([this] { LeaveWhenOverdue(); });
}

void EndGuard::LeaveWhenOverdue() {
  const Instant limit = RealClock().Now() + patience_;
  {
    const MutexLock lock(mutex_);
    while (!ended_ && RealClock().Now() < limit) {
      wake_.WaitFor(mutex_, limit - RealClock().Now());
    }
    if (ended_) return;
  }
  Log(LogLevel::kError, "end_overdue",
      {{"after_s", absl::ToInt64Seconds(patience_)},
       {"why", "a disk of the state folder does not answer, or a call hangs"}});
  _exit(kExitFailure);
}

}  // namespace cairn
