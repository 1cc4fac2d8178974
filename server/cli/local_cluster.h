// A cluster of real processes on this machine: one coordinator, some nodes, a tenant.
#ifndef CAIRN_SERVER_CLI_LOCAL_CLUSTER_H_
#define CAIRN_SERVER_CLI_LOCAL_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "server/cli/child_process.h"
#include "server/cli/scratch_folder.h"
#include "transport/network.h"

namespace cairn {

struct LocalClusterOptions {
  int64_t nodes = 3;
  uint64_t dram_bytes_per_node = uint64_t{2} << 30;
  absl::Duration warm_restart;              // zero: a stopped node's memory is given back at once
  uint64_t nvme_bytes_per_node = 0;         // in a folder of its own; 0: no second tier
  std::vector<std::string> node_arguments;  // besides those that every node needs
  std::vector<std::string> coordinator_arguments;  // likewise
  std::string program = OwnProgramPath();          // cairn
  std::vector<std::string> launcher;  // put before the program: {"/usr/bin/nsenter", ...}
  std::string host = "127.0.0.1";     // where all listen; beyond loopback they are --insecure
};

// Stops its processes in order and removes its files when destroyed.
class LocalCluster {
 public:
  // Returns when every node is ready. Errors end with the last lines of the failed daemon's log.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(const LocalClusterOptions& options,
                                                             Network& network);
  ~LocalCluster();
  const std::string& coordinator() const { return coordinator_; }
  const std::string& coordinator_http() const { return coordinator_http_; }
  const std::vector<std::string>& node_http() const { return node_http_; }
  // Of the first reactor of each node.
  const std::vector<std::string>& node_data() const { return node_data_; }
  // processes()[0] is the coordinator, the nodes follow.
  std::vector<ChildProcess>& processes() { return processes_; }
  // Starts a process that ended again, with its folder (and the coordinator's address), and waits
  // until it is ready.
  absl::Status Restart(size_t process);
  // The same without the wait.
  absl::Status BeginRestart(size_t process);
  // Whether it is ready; does not wait. kUnavailable: it ended; the message has its last words.
  absl::StatusOr<bool> Serves(size_t process);
  const std::string& tenant_file() const { return tenant_file_; }
  // process: "coordinator", "node0", ...
  std::string state_folder(const std::string& process) const { return folder_.File(process); }
  const std::string& admin_credential() const { return admin_credential_; }
  std::string admin_file() const { return state_folder("coordinator") + "/admin"; }

 private:
  LocalCluster(const LocalClusterOptions& options, ScratchFolder folder)
      : options_(options), folder_(std::move(folder)), coordinator_(options.host + ":0") {}
  absl::StatusOr<ChildProcess> StartDaemon(const std::string& name,
                                           const std::vector<std::string>& arguments) const;
  absl::StatusOr<ChildProcess> StartCoordinator();
  absl::Status AwaitCoordinator();
  absl::StatusOr<ChildProcess> StartNode(size_t node);
  absl::Status AwaitNode(size_t node);
  absl::Status AddTenant(Network& network);

  const LocalClusterOptions options_;
  ScratchFolder folder_;  // outlives the processes
  std::vector<ChildProcess> processes_;
  std::string coordinator_;
  std::string coordinator_http_;
  std::string admin_credential_;
  std::vector<std::string> node_http_;
  std::vector<std::string> node_data_;
  std::string tenant_file_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_LOCAL_CLUSTER_H_
