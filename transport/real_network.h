// The network of a production process: UCX for the data plane, gRPC for the control plane.
#ifndef CAIRN_TRANSPORT_REAL_NETWORK_H_
#define CAIRN_TRANSPORT_REAL_NETWORK_H_

#include <memory>

#include <absl/status/statusor.h>

#include "transport/control/grpc_channel.h"
#include "transport/network.h"
#include "transport/ucx/ucx_context.h"

namespace cairn {

struct RealNetworkOptions {
  UcxOptions ucx;
  TlsOptions tls;
};

// kInternal: UCX refuses a setting; the message names it. kInvalidArgument: what ReadTls says. Its
// files may be replaced at any time: TlsRenewal.
absl::StatusOr<std::unique_ptr<Network>> CreateRealNetwork(const RealNetworkOptions& options);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_REAL_NETWORK_H_
