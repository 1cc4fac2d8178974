// A control channel over gRPC.
#ifndef CAIRN_TRANSPORT_CONTROL_GRPC_CHANNEL_H_
#define CAIRN_TRANSPORT_CONTROL_GRPC_CHANNEL_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "transport/control/control_channel.h"

namespace cairn {

// All empty: plain text. PEM files otherwise.
struct TlsOptions {
  std::string ca_file;           // authorities that sign the servers; empty: the system's
  std::string certificate_file;  // our own, for mTLS
  std::string key_file;
  bool enabled() const { return !ca_file.empty() || !certificate_file.empty(); }
};

// One thread that hears of the ends of calls, for all channels that share it. gRPC 1.51's own
// thread for callbacks aborts when the last channel of a process closes while it looks for work.
class GrpcCalls {
 public:
  static std::unique_ptr<GrpcCalls> Create();
  // The channels are gone.
  virtual ~GrpcCalls() = default;
};

// calls outlives the channel. kInvalidArgument names the file that cannot be read.
absl::StatusOr<std::unique_ptr<ControlChannel>> OpenGrpcChannel(const std::string& address,
                                                                const TlsOptions& tls,
                                                                GrpcCalls& calls);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_CONTROL_GRPC_CHANNEL_H_
