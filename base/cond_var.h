// A condition variable over base/mutex.h, for the same reason: absl::CondVar blinds
// ThreadSanitizer.
#ifndef CAIRN_BASE_COND_VAR_H_
#define CAIRN_BASE_COND_VAR_H_

#include <condition_variable>

#include <absl/base/thread_annotations.h>
#include <absl/time/time.h>

#include "base/mutex.h"

namespace cairn {

// Waits may end early without a cause: look at the condition again.
class CondVar {
 public:
  void Wait(Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable lockable{mutex};
    condition_.wait(lockable);
  }
  // At most so long.
  void WaitFor(Mutex& mutex, absl::Duration patience) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable lockable{mutex};
    condition_.wait_for(lockable, absl::ToChronoNanoseconds(patience));
  }
  void NotifyAll() { condition_.notify_all(); }

 private:
  struct Lockable {  // As the standard library spells it.
    Mutex& mutex;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
  };

  std::condition_variable_any condition_;
};

}  // namespace cairn

#endif  // CAIRN_BASE_COND_VAR_H_
