#include "server/cli/daemon_options.h"

#include "base/config.h"
#include "base/status.h"

namespace cairn {
namespace {

void BindReadyFile(std::string& ready_file, ConfigSchema& schema) {
  schema.Add("ready_file", &ready_file, "Written as JSON with the addresses, once it serves.");
}

// The node of `cairn up` calls the coordinator beside it: both speak TLS or neither does.
absl::Status CheckBothSpeakTls(const CoordinatorServerOptions& coordinator,
                               const TlsOptions& node) {
  const bool serves_tls = !coordinator.tls_certificate_file.empty();
  if (serves_tls == node.enabled()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      serves_tls
          ? "node.ca_file: none given, but by coordinator.tls_certificate_file the "
            "coordinator speaks TLS; give the authority that signed that certificate"
          : "node.ca_file: the node would speak TLS and the coordinator does not; give "
            "coordinator.tls_certificate_file and coordinator.tls_key_file, too, or neither");
}

void BindLogJson(bool& log_json, ConfigSchema& schema) {
  schema.Add("log_json", &log_json, "Log lines as JSON.");
}

}  // namespace

void CoordinatorCommandOptions::Bind(ConfigSchema& schema) {
  schema.Add("state_folder", &daemon.coordinator.state_folder,
             "Folder of the registry, the signing key and the admin credential.");
  BindCoordinatorOptions(daemon, "", schema);
  BindReadyFile(ready_file, schema);
  BindLogJson(log_json, schema);
}

void NodeCommandOptions::Bind(ConfigSchema& schema) {
  schema.Add("coordinators", &daemon.node.coordinators,
             "Addresses of the coordinators, comma separated.");
  schema.Add("state_folder", &daemon.node.state_folder, "Folder of the node's identity.");
  BindNodeOptions(daemon, "", schema);
  schema.Add(
      "warm_restart", &warm_restart, {absl::ZeroDuration(), absl::Hours(24)},
      "How long a stopped node's memory waits for the next start; 0s gives it back at once.");
  BindReadyFile(ready_file, schema);
  BindLogJson(log_json, schema);
}

void UpCommandOptions::Bind(ConfigSchema& schema) {
  schema.Add("state_folder", &state_folder, "Folder of identities, keys and the registry.");
  BindReadyFile(ready_file, schema);
  BindCoordinatorOptions(coordinator, "coordinator.", schema);
  BindNodeOptions(node, "node.", schema);
}

absl::Status UpCommandOptions::Validate() const {
  if (state_folder.empty()) {
    return absl::InvalidArgumentError("state_folder: empty; give a folder for keys and identities");
  }
  CAIRN_RETURN_IF_ERROR(CoordinatorOptions().Validate());
  CAIRN_RETURN_IF_ERROR(CheckBothSpeakTls(coordinator.server, node.network.tls));
  return NodeOptions(coordinator.server.listen_address).Validate();
}

CoordinatorDaemonOptions UpCommandOptions::CoordinatorOptions() const {
  CoordinatorDaemonOptions options = coordinator;
  options.coordinator.state_folder = state_folder + "/coordinator";
  return options;
}

NodeDaemonOptions UpCommandOptions::NodeOptions(const std::string& coordinator_address) const {
  NodeDaemonOptions options = node;
  options.node.state_folder = state_folder + "/node";
  options.node.coordinators = {coordinator_address};
  return options;
}

}  // namespace cairn
