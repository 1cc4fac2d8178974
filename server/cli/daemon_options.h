// The options of the commands that serve: for those commands, and for `cairn config check`.
#ifndef CAIRN_SERVER_CLI_DAEMON_OPTIONS_H_
#define CAIRN_SERVER_CLI_DAEMON_OPTIONS_H_

#include <string>

#include <absl/status/status.h>

#include "server/cli/coordinator_daemon.h"
#include "server/cli/defaults.h"
#include "server/cli/node_daemon.h"

namespace cairn {

// Each has Bind, which declares its options, and Validate, which says after loading whether a start
// would accept them: kInvalidArgument names the field, the value and the remedy.

struct CoordinatorCommandOptions {
  CoordinatorDaemonOptions daemon;
  std::string ready_file;
  bool log_json = false;

  void Bind(ConfigSchema& schema);
  absl::Status Validate() const { return daemon.Validate(); }
};

struct NodeCommandOptions {
  NodeDaemonOptions daemon;
  absl::Duration warm_restart = absl::Minutes(2);
  std::string ready_file;
  bool log_json = false;

  void Bind(ConfigSchema& schema);
  absl::Status Validate() const { return daemon.Validate(); }
};

struct UpCommandOptions {
  CoordinatorDaemonOptions coordinator;
  NodeDaemonOptions node;
  std::string state_folder = kDefaultStateFolder;
  std::string ready_file;

  void Bind(ConfigSchema& schema);
  absl::Status Validate() const;
  // Both with their folder below state_folder, the node pointed at `address`.
  CoordinatorDaemonOptions CoordinatorOptions() const;
  NodeDaemonOptions NodeOptions(const std::string& coordinator_address) const;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_DAEMON_OPTIONS_H_
