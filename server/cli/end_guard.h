// The last bound of a daemon's end.
#ifndef CAIRN_SERVER_CLI_END_GUARD_H_
#define CAIRN_SERVER_CLI_END_GUARD_H_

#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/time/time.h>

#include "base/cond_var.h"
#include "base/mutex.h"

namespace cairn {

// From Begin() on the process lives no longer than `patience`: a thread that waits for a disk which
// has stopped answering keeps nobody. It then says so and leaves with kExitFailure, without
// destructors. Only for what is safe when killed: what it promised is on its disks by then.
class EndGuard {
 public:
  // Longer than an orderly end takes, shorter than service managers wait (Kubernetes: 30 s).
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  explicit EndGuard(absl::Duration patience = kPatience) : patience_(patience) {}
  // The end came in time.
  ~EndGuard();
  // Once.
  void Begin();

 private:
  void LeaveWhenOverdue();

  const absl::Duration patience_;
  Mutex mutex_;
  CondVar wake_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_END_GUARD_H_
