// A control channel over gRPC.
#ifndef CAIRN_TRANSPORT_CONTROL_GRPC_CHANNEL_H_
#define CAIRN_TRANSPORT_CONTROL_GRPC_CHANNEL_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "transport/control/control_channel.h"
#include "transport/control/tls.h"
#include "transport/control/tls_renewal.h"

namespace cairn {

// One thread that hears of the ends of calls, for all channels that share it. gRPC 1.51's own
// thread for callbacks aborts when the last channel of a process closes while it looks for work.
class GrpcCalls {
 public:
  static std::unique_ptr<GrpcCalls> Create();
  // The channels are gone.
  virtual ~GrpcCalls() = default;
};

// renewal, of the files in tls, and calls outlive the channel. With new certificates a channel
// connects anew; calls in flight end on the connection that they began on. kUnavailable: no
// descriptor is left.
absl::StatusOr<std::unique_ptr<ControlChannel>> OpenGrpcChannel(const std::string& address,
                                                                const TlsOptions& tls,
                                                                const TlsRenewal& renewal,
                                                                GrpcCalls& calls);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_CONTROL_GRPC_CHANNEL_H_
