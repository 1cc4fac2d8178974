#include "server/cli/coordinator_daemon.h"

#include <filesystem>
#include <system_error>

#include <absl/strings/str_cat.h>

#include "base/config.h"
#include "base/status.h"
#include "server/registry/sqlite_registry.h"

namespace cairn {

void BindCoordinatorOptions(CoordinatorDaemonOptions& options, const std::string& prefix,
                            ConfigSchema& schema) {
  const auto name = [&prefix](const char* option) { return absl::StrCat(prefix, option); };
  schema.Add(name("listen"), &options.server.listen_address,
             "Address of the gRPC control plane; port 0 takes a free one.");
  schema.Add(name("http_listen"), &options.http_listen, "Address of /metrics, /healthz, /readyz.");
  schema.Add(name("tls_certificate_file"), &options.server.tls_certificate_file,
             "PEM certificate; with tls_key_file turns TLS on.");
  schema.Add(name("tls_key_file"), &options.server.tls_key_file, "PEM private key.");
  schema.Add(name("tls_client_ca_file"), &options.server.tls_client_ca_file,
             "PEM authorities; clients must then present a certificate.");
  schema.Add(name("insecure"), &options.server.insecure,
             "Allow plain text beyond loopback, inside a trusted fabric.");
  schema.AddBytes(name("index_bytes_max"), &options.coordinator.index_bytes_max,
                  {uint64_t{1} << 20, uint64_t{1} << 40}, "Cap of the prefix index.");
  schema.Add(name("heartbeat_interval"), &options.coordinator.heartbeat_interval,
             {absl::Milliseconds(10), absl::Minutes(1)}, "How often nodes report.");
  schema.Add(name("node_timeout"), &options.coordinator.node_timeout,
             {absl::Milliseconds(20), absl::Minutes(10)},
             "Silence after which a node gets no lookups.");
  schema.Add(name("session_lifetime"), &options.coordinator.session_lifetime,
             {absl::Seconds(10), absl::Hours(24)}, "Life of a session's token.");
}

absl::Status CoordinatorDaemonOptions::Validate() const {
  CAIRN_RETURN_IF_ERROR(coordinator.Validate());
  CAIRN_RETURN_IF_ERROR(server.Validate());
  return HttpServer::CheckAddress(http_listen);
}

absl::StatusOr<std::unique_ptr<CoordinatorDaemon>> CoordinatorDaemon::Start(
    const CoordinatorDaemonOptions& options, Runtime& runtime) {
  CAIRN_RETURN_IF_ERROR(options.Validate());
  const std::filesystem::path folder = options.coordinator.state_folder;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("state_folder: cannot make ", folder.string(), ": ", error.message()));
  }
  auto daemon = std::unique_ptr<CoordinatorDaemon>(new CoordinatorDaemon);
  CAIRN_ASSIGN_OR_RETURN(daemon->registry_,
                         OpenSqliteRegistry((folder / "registry.db").string(), runtime.random));
  CAIRN_ASSIGN_OR_RETURN(daemon->coordinator_,
                         Coordinator::Create(options.coordinator, *daemon->registry_, runtime));
  CAIRN_ASSIGN_OR_RETURN(daemon->server_,
                         CoordinatorServer::Start(options.server, *daemon->coordinator_));
  Coordinator* coordinator = daemon->coordinator_.get();
  CAIRN_ASSIGN_OR_RETURN(
      daemon->http_,
      HttpServer::Start(
          options.http_listen,
          {{"/metrics", [coordinator] { return HttpReply{.body = coordinator->MetricsText()}; }},
           {"/healthz", [] { return HttpReply{.body = "live\n"}; }},
           {"/readyz", [coordinator] {
              return coordinator->ready() ? HttpReply{.body = "ready\n"}
                                          : HttpReply{.code = 503, .body = "not ready\n"};
            }}}));
  return daemon;
}

}  // namespace cairn
