// A whole node in this process: reactors and agent with their threads, HTTP.
#ifndef CAIRN_SERVER_CLI_NODE_DAEMON_H_
#define CAIRN_SERVER_CLI_NODE_DAEMON_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "base/runtime.h"
#include "server/cli/self_get.h"
#include "server/http/http_server.h"
#include "server/node/node.h"
#include "server/node/node_threads.h"
#include "transport/real_network.h"

namespace cairn {

class ConfigSchema;
class Termination;

struct NodeDaemonOptions {
  NodeOptions node;
  int64_t reactors = 1;
  std::string http_listen = "127.0.0.1:0";
  bool insecure = false;       // data plane beyond loopback
  RealNetworkOptions network;  // without the choice that NetworkOptionsOf makes
  std::string policy = "learned";
  std::string nvme_key_file;

  // kInvalidArgument names the field, the value and the remedy.
  absl::Status Validate() const;
  // `node` with what stands beside it here.
  NodeOptions Node() const;
};

// Declares the options under `prefix` ("" or "node.").
void BindNodeOptions(NodeDaemonOptions& options, const std::string& prefix, ConfigSchema& schema);

// The network of a node that listens and moves bytes as `options` say: on loopback alone when that
// is where it listens, for UCX opens a port on every device it may use.
RealNetworkOptions NetworkOptionsOf(const NodeDaemonOptions& options);

// Serves until destroyed. runtime's members outlive it.
class NodeDaemon {
 public:
  static absl::StatusOr<std::unique_ptr<NodeDaemon>> Start(const NodeDaemonOptions& options,
                                                           Runtime& runtime);
  const std::string& http_address() const { return http_->address(); }
  Node& node() { return *node_; }
  // Waits until the node is registered and serves. False: `termination` came first or the time is
  // up. An error: a drive that the node must not use, or a coordinator that does not want it; the
  // message has the remedy.
  absl::StatusOr<bool> AwaitReady(absl::Duration timeout, Termination& termination) const;
  // Not ready at once, then waits until all in flight has ended, at most the drain timeout.
  void Drain();
  // Stops serving for good, and gives the memory out of its hands. Once, after Drain.
  absl::StatusOr<std::vector<WarmShard>> HandOver();

 private:
  NodeDaemon() = default;

  absl::Duration drain_timeout_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<NodeThreads> threads_;  // dies before what it polls
  std::unique_ptr<SelfGet> self_get_;     // dies first
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_NODE_DAEMON_H_
