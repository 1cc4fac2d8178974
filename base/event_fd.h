// A wake-up that poll(2) and epoll(7) understand.
#ifndef CAIRN_BASE_EVENT_FD_H_
#define CAIRN_BASE_EVENT_FD_H_

#include <utility>

#include <absl/status/statusor.h>

#include "base/handle.h"

namespace cairn {

// Thread-safe.
class EventFd {
 public:
  // kResourceExhausted: out of descriptors; raise LimitNOFILE (ulimit -n).
  static absl::StatusOr<EventFd> Create();

  // Makes fd() readable until the next Drain. Never blocks; async-signal-safe.
  void Signal();
  // Makes fd() quiet again. Look for work after it, never before: a signal between the two would be
  // lost.
  void Drain();

  int fd() const { return descriptor_.get(); }

 private:
  explicit EventFd(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  FileDescriptor descriptor_;
};

}  // namespace cairn

#endif  // CAIRN_BASE_EVENT_FD_H_
