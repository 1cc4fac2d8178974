// Calls of a simulated control service, with what gRPC answers when the network or the peer fails.
#ifndef CAIRN_TRANSPORT_SIM_SIM_CONTROL_CHANNEL_H_
#define CAIRN_TRANSPORT_SIM_SIM_CONTROL_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "transport/control/control_channel.h"
#include "transport/sim/sim_fabric.h"

namespace cairn {

// Made by SimHost::OpenControlChannel.
//
// A lost request or reply is sent again until the call's deadline. A process that is gone answers
// kUnavailable, a host without power or behind a cut kDeadlineExceeded. A service that has run does
// not mean that its reply arrives.
class SimControlChannel final : public ControlChannel {
 public:
  SimControlChannel(SimFabric& fabric, SimHostId host, SimHostId target, std::string address,
                    std::function<void()> wake);
  ~SimControlChannel() override;
  SimControlChannel(const SimControlChannel&) = delete;
  SimControlChannel& operator=(const SimControlChannel&) = delete;

  void Call(const std::string& method, std::string request, absl::Duration timeout,
            Done done) override;
  size_t Poll() override;
  int event_fd() const override { return -1; }
  const std::string& address() const override { return address_; }

  // For calls on their way back. Unknown or ended calls are ignored.
  void Complete(uint64_t call, absl::StatusOr<std::string> result);

 private:
  struct Ended {
    Done done;
    absl::StatusOr<std::string> result;
  };

  SimFabric& fabric_;
  const SimHostId host_;
  const SimHostId target_;
  const std::string address_;
  const std::function<void()> wake_;
  const uint64_t id_;
  std::map<uint64_t, Done> pending_;  // at most kControlCallsInFlightMax
  std::deque<Ended> ended_;           // as many, and the calls refused since the last Poll
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_CONTROL_CHANNEL_H_
