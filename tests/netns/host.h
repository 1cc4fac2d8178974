// One host of a test: a network namespace with an address, and its own /sys because UCX looks for
// devices there. Nameless: it ends with the last process on it, whatever way that ends.
#ifndef CAIRN_TESTS_NETNS_HOST_H_
#define CAIRN_TESTS_NETNS_HOST_H_

#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "base/handle.h"

namespace cairn::netns {

class Host {
 public:
  // address: IPv4, in a network of 24 bits. kPermissionDenied, kNotFound: this machine gives no
  // namespaces or no TUN devices.
  static absl::StatusOr<Host> Create(const std::string& address);

  // The arguments that run a program here, put before its own.
  std::vector<std::string> Launcher() const;
  // Moves the calling thread, and those that it starts, here. For good.
  void Enter() const;
  // What is plugged into the host's network device. Once.
  FileDescriptor TakeDevice() { return std::move(device_); }

 private:
  Host() = default;

  FileDescriptor network_;
  FileDescriptor mounts_;
  FileDescriptor device_;
};

}  // namespace cairn::netns

#endif  // CAIRN_TESTS_NETNS_HOST_H_
