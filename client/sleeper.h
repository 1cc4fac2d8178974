// One descriptor that is readable when any of the client's sources has work or a time has come.
// Outside the simulation only.
#ifndef CAIRN_CLIENT_SLEEPER_H_
#define CAIRN_CLIENT_SLEEPER_H_

#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/handle.h"

namespace cairn {

class Sleeper {
 public:
  // kResourceExhausted: out of descriptors; raise LimitNOFILE.
  static absl::StatusOr<std::unique_ptr<Sleeper>> Create(const std::vector<int>& descriptors);
  // at: of RealClock().
  void WakeAt(Instant at);
  int event_fd() const { return epoll_.get(); }

 private:
  Sleeper(FileDescriptor epoll, FileDescriptor timer)
      : epoll_(std::move(epoll)), timer_(std::move(timer)) {}
  FileDescriptor epoll_;
  FileDescriptor timer_;
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_SLEEPER_H_
