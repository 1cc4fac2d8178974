// Calls that may wait for a disk, on a thread of their own.
#ifndef CAIRN_SERVER_COORDINATOR_WAITING_CALLS_H_
#define CAIRN_SERVER_COORDINATOR_WAITING_CALLS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>

#include <absl/base/thread_annotations.h>

#include "base/cond_var.h"
#include "base/mutex.h"

namespace cairn {

// gRPC answers all calls with a few threads (two on a small machine): as many calls that wait for a
// registry whose disk is stuck would end heartbeats and lookups, too. One thread is enough, as the
// registry does one thing at a time. Thread-safe.
class WaitingCalls {
 public:
  static constexpr size_t kCallsMax = 1024;  // each is a client or an operator that waits

  WaitingCalls();
  // Runs those that wait.
  ~WaitingCalls();

  // In the order of the calls. False: kCallsMax wait already; this one will not run.
  [[nodiscard]] bool Run(std::function<void()> call);

 private:
  void RunUntilStopped();
  // Waits for one; nullptr: none is left, and none will come.
  std::function<void()> Next();

  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> calls_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_WAITING_CALLS_H_
