// A gRPC server's certificates that may change while it serves.
#ifndef CAIRN_SERVER_COORDINATOR_RENEWED_CREDENTIALS_H_
#define CAIRN_SERVER_COORDINATOR_RENEWED_CREDENTIALS_H_

#include <memory>

#include <grpcpp/security/server_credentials.h>

#include "transport/control/tls_renewal.h"

namespace cairn {

// Each new connection gets renewal's texts of that moment: the pair is ours, of clients a
// certificate is asked where there are authorities. Both outlive the server, and serve one alone.
std::shared_ptr<grpc::ServerCredentials> RenewedServerCredentials(const TlsRenewal& renewal);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_RENEWED_CREDENTIALS_H_
