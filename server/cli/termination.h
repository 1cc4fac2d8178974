// SIGINT, SIGTERM and, unless nohup has it ignored, SIGHUP as a descriptor: daemons wait for it,
// nothing runs in a signal handler.
#ifndef CAIRN_SERVER_CLI_TERMINATION_H_
#define CAIRN_SERVER_CLI_TERMINATION_H_

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/handle.h"

namespace cairn {

// Make it first in main's thread: threads started later inherit the blocked signals.
class Termination {
 public:
  static absl::StatusOr<Termination> Create();
  // True when one of the signals came; then or before. Waits up to `limit`.
  bool Wait(absl::Duration limit);

 private:
  explicit Termination(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  FileDescriptor descriptor_;
  bool came_ = false;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_TERMINATION_H_
