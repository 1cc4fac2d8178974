// The network as a component sees it: workers for the data plane, channels for the control plane.
#ifndef CAIRN_TRANSPORT_NETWORK_H_
#define CAIRN_TRANSPORT_NETWORK_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "transport/control/control_channel.h"
#include "transport/transport.h"

namespace cairn {

// Thread-safe. Outlives everything it made.
class Network {
 public:
  virtual ~Network() = default;
  // For the calling thread. kResourceExhausted, kInternal: the message names limit and remedy.
  virtual absl::StatusOr<std::unique_ptr<Worker>> CreateWorker() = 0;
  // A channel to the control service at "host:port" of a coordinator or node. Connects lazily,
  // never fails by itself: calls do. kInvalidArgument: not an address, or TLS files unreadable.
  virtual absl::StatusOr<std::unique_ptr<ControlChannel>> OpenControlChannel(
      const std::string& address) = 0;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_NETWORK_H_
