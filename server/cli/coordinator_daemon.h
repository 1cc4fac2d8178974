// A whole coordinator in this process: registry, logic, gRPC, HTTP.
#ifndef CAIRN_SERVER_CLI_COORDINATOR_DAEMON_H_
#define CAIRN_SERVER_CLI_COORDINATOR_DAEMON_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "base/runtime.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/coordinator_server.h"
#include "server/http/http_server.h"

namespace cairn {

class ConfigSchema;

struct CoordinatorDaemonOptions {
  CoordinatorOptions coordinator;
  CoordinatorServerOptions server;
  std::string http_listen = "127.0.0.1:0";
  std::string objectives_file;  // set at the start; empty: none

  // kInvalidArgument names the field, the value and the remedy.
  absl::Status Validate() const;
};

// Declares the options under `prefix` ("" or "coordinator.").
void BindCoordinatorOptions(CoordinatorDaemonOptions& options, const std::string& prefix,
                            ConfigSchema& schema);

// Serves until destroyed. runtime's members outlive it.
class CoordinatorDaemon {
 public:
  static absl::StatusOr<std::unique_ptr<CoordinatorDaemon>> Start(
      const CoordinatorDaemonOptions& options, Runtime& runtime);

  const std::string& address() const { return server_->address(); }
  const std::string& http_address() const { return http_->address(); }
  Coordinator& coordinator() { return *coordinator_; }
  Registry& registry() { return *registry_; }

 private:
  CoordinatorDaemon() = default;

  std::unique_ptr<Registry> registry_;
  std::unique_ptr<HistoryStore> history_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<CoordinatorServer> server_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_COORDINATOR_DAEMON_H_
