#include "server/cli/coordinator_daemon.h"

#include <filesystem>
#include <system_error>

#include <absl/strings/str_cat.h>

#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "cairn/v1/objectives.pb.h"
#include "server/cli/objective_text.h"
#include "server/dashboard/dashboard.h"
#include "server/http/openmetrics.h"
#include "server/registry/history_writer.h"
#include "server/registry/sqlite_history.h"
#include "server/registry/sqlite_registry.h"

namespace cairn {

void BindCoordinatorOptions(CoordinatorDaemonOptions& options, const std::string& prefix,
                            ConfigSchema& schema) {
  const auto name = [&prefix](const char* option) { return absl::StrCat(prefix, option); };
  schema.Add(name("listen"), &options.server.listen_address,
             "Address of the gRPC control plane; port 0 takes a free one.");
  schema.Add(name("http_listen"), &options.http_listen,
             "Address of the dashboard, /metrics, /healthz, /readyz.");
  schema.Add(name("objectives_file"), &options.objectives_file,
             "YAML file of latency objectives that are set at the start (docs/slo.md).");
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

namespace {

absl::Status SetObjectives(const std::string& path, Coordinator& coordinator, Disk& disk) {
  if (path.empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const std::string text, disk.ReadFile(path));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<v1::Objective> objectives,
                         ParseObjectivesFile({path, text}));
  for (const v1::Objective& objective : objectives) {
    v1::SetObjectiveRequest request;
    request.set_admin_credential(coordinator.admin_credential());
    *request.mutable_objective() = objective;
    const absl::Status status =
        coordinator.Handle("/cairn.v1.Observer/SetObjective", request.SerializeAsString()).status();
    if (status.ok()) continue;
    return absl::Status(status.code(),
                        absl::StrCat("objectives_file: ", path, ": objective ", objective.name(),
                                     ": ", std::string(status.message())));
  }
  return absl::OkStatus();
}

std::map<std::string, HttpServer::Route> HttpRoutes(Coordinator& coordinator, Runtime& runtime) {
  std::map<std::string, HttpServer::Route> routes =
      DashboardRoutes({.call =
                           [&coordinator](const std::string& method, const std::string& request) {
                             return coordinator.Handle(method, request);
                           },
                       .admin_credential = coordinator.admin_credential()},
                      runtime.clock, runtime.random);
  routes["/metrics"] = [&coordinator](const HttpRequest& request) {
    return MetricsReply(request, coordinator.MetricsText());
  };
  routes["/metrics/openmetrics"] = [&coordinator](const HttpRequest&) {
    return OpenMetricsReply(coordinator.MetricsText());
  };
  routes["/healthz"] = [&coordinator](const HttpRequest&) {
    return HealthReply(coordinator.health());
  };
  routes["/readyz"] = [&coordinator](const HttpRequest&) {
    return coordinator.ready() ? HttpReply{.body = "ready\n"}
                               : HttpReply{.code = 503, .body = "not ready\n"};
  };
  return routes;
}

}  // namespace

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
  // Without it operators see less; engines lose nothing.
  auto history = OpenSqliteHistory((folder / "history.db").string());
  if (history.ok()) {
    daemon->history_ = std::make_unique<HistoryWriter>(*std::move(history));
  } else {
    Log(LogLevel::kWarning, "history_not_kept", {{"why", std::string(history.status().message())}});
  }
  CAIRN_ASSIGN_OR_RETURN(daemon->coordinator_,
                         Coordinator::Create(options.coordinator, *daemon->registry_, runtime,
                                             daemon->history_.get()));
  CAIRN_RETURN_IF_ERROR(
      SetObjectives(options.objectives_file, *daemon->coordinator_, runtime.disk));
  CAIRN_ASSIGN_OR_RETURN(daemon->server_,
                         CoordinatorServer::Start(options.server, *daemon->coordinator_));
  CAIRN_ASSIGN_OR_RETURN(
      daemon->http_,
      HttpServer::Start(options.http_listen, HttpRoutes(*daemon->coordinator_, runtime)));
  return daemon;
}

}  // namespace cairn
