#include "server/coordinator/renewed_credentials.h"

#include <string>
#include <utility>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "base/handle.h"
#include "base/mutex.h"

namespace cairn {
namespace {

using CoreCredentials = Handle<grpc_server_credentials*, grpc_server_credentials_release>;

// gRPC's C core asks a function of ours at each new connection, and keeps what it has where that
// has nothing new. gRPC 1.51's C++ offers FileWatcherCertificateProvider alone, which trusts the
// files to fit together at every moment.
class RenewedCredentials final : public grpc::ServerCredentials {
 public:
  explicit RenewedCredentials(const TlsRenewal& renewal) : renewal_(renewal) {}

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    const bool ask_clients = !renewal_.texts()->authorities.empty();
    const CoreCredentials credentials(grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            ask_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                        : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            Fetch, this)));
    return grpc_server_add_http2_port(server, address.c_str(), credentials.get());
  }

  // gRPC frees the old certificates as soon as it has the new ones, without a look at other threads
  // that begin a connection with them. There are none: a socket's connections are accepted one
  // after the other, and an ip:port is one socket (the server does not share its port).
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<RenewedCredentials*>(self)->FetchNew(config);
  }

  grpc_ssl_certificate_config_reload_status FetchNew(grpc_ssl_server_certificate_config** config) {
    std::shared_ptr<const TlsTexts> texts = renewal_.texts();
    const MutexLock lock(mutex_);
    if (texts == given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    given_ = std::move(texts);
    const grpc_ssl_pem_key_cert_pair pair{given_->pair.key.c_str(),
                                          given_->pair.certificate.c_str()};
    // gRPC 1.51 aborts without authorities, also where it asks nobody for a certificate: then any
    // do.
    const std::string& authorities =
        given_->authorities.empty() ? given_->pair.certificate : given_->authorities;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const TlsRenewal& renewal_;
  Mutex mutex_;
  std::shared_ptr<const TlsTexts> given_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> RenewedServerCredentials(const TlsRenewal& renewal) {
  return std::make_shared<RenewedCredentials>(renewal);
}

}  // namespace cairn
