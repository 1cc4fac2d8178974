// UCX's process-wide part: settings, features, memory registration.
#ifndef CAIRN_TRANSPORT_UCX_UCX_CONTEXT_H_
#define CAIRN_TRANSPORT_UCX_UCX_CONTEXT_H_

#include <ucp/api/ucp.h>

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/handle.h"

namespace cairn {

struct UcxOptions {
  std::string tls = "tcp";          // UCX_TLS, explicit: "tcp", "rc_verbs,tcp", "rc_mlx5,tcp"
  std::string net_devices = "all";  // UCX_NET_DEVICES
  uint64_t rendezvous_bytes_min = 131072;  // smaller bulks are copied once by the receiver
};

// UCX's answer as ours; `what` names the call.
absl::Status FromUcs(ucs_status_t status, std::string_view what);

using UcpContext = Handle<ucp_context_h, ucp_cleanup, nullptr>;

// Active messages and wake-up only. CHECKs that the RMA feature is off: with it any peer reads and
// writes any of our memory (docs/transports.md). The settings are given to UCX directly, so that a
// user's UCX_* variables do not undo them. kInternal names the setting that UCX refuses.
absl::StatusOr<UcpContext> CreateUcpContext(const UcxOptions& options);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_UCX_UCX_CONTEXT_H_
