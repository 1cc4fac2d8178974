// The coordinator on the wire: gRPC, with health and reflection.
#ifndef CAIRN_SERVER_COORDINATOR_COORDINATOR_SERVER_H_
#define CAIRN_SERVER_COORDINATOR_COORDINATOR_SERVER_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "server/coordinator/coordinator.h"

namespace cairn {

struct CoordinatorServerOptions {
  std::string listen_address = "127.0.0.1:7400";  // port 0 takes a free one
  std::string tls_certificate_file;               // both or none
  std::string tls_key_file;
  std::string tls_client_ca_file;  // with it every client must present a certificate (mTLS)
  bool insecure = false;           // plain text beyond loopback

  // kInvalidArgument: a non-loopback address without TLS, half a TLS pair, authorities
  // of clients without TLS, no port.
  absl::Status Validate() const;
};

// Serves and steps `coordinator` with its own threads until destroyed; in-flight calls get up to a
// second to end.
class CoordinatorServer {
 public:
  // kInvalidArgument: what Validate() says, or a file that is not what it should be.
  // kUnavailable: the port cannot be bound; the message names it.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(
      const CoordinatorServerOptions& options, Coordinator& coordinator);
  virtual ~CoordinatorServer() = default;
  // "ip:port" with the real port.
  virtual const std::string& address() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_COORDINATOR_SERVER_H_
