// One blocking call to a control service, for commands.
#ifndef CAIRN_SERVER_CLI_CONTROL_CALL_H_
#define CAIRN_SERVER_CLI_CONTROL_CALL_H_

#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "transport/network.h"

namespace cairn {

// The serialized reply. kUnavailable, kDeadlineExceeded name the address and what to check.
absl::StatusOr<std::string> CallBlocking(Network& network, const std::string& address,
                                         const std::string& method, std::string request,
                                         absl::Duration timeout);

template <typename Reply, typename Request>
absl::StatusOr<Reply> ControlCall(Network& network, const std::string& address,
                                  const std::string& method, const Request& request,
                                  absl::Duration timeout = absl::Seconds(5)) {
  absl::StatusOr<std::string> bytes =
      CallBlocking(network, address, method, request.SerializeAsString(), timeout);
  if (!bytes.ok()) return std::move(bytes).status();
  Reply reply;
  if (!reply.ParseFromString(*bytes)) return absl::InternalError(method + ": unreadable reply");
  return reply;
}

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_CONTROL_CALL_H_
