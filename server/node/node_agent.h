// The node's voice towards its coordinators: registration, heartbeats, inventory reports. Owned by
// the control thread.
#ifndef CAIRN_SERVER_NODE_NODE_AGENT_H_
#define CAIRN_SERVER_NODE_NODE_AGENT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "base/mutex.h"
#include "base/runtime.h"
#include "cairn/v1/coordinator.pb.h"
#include "server/node/coordinator_link.h"
#include "server/node/identity.h"
#include "server/node/node.h"
#include "server/node/reactor_channel.h"

namespace cairn {

class NodeAgent {
 public:
  // channels: one per reactor; they and fill_heartbeat's captures outlive the agent.
  NodeAgent(const NodeOptions& options, const NodeIdentity& identity,
            std::vector<std::string> reactor_addresses,
            std::vector<std::unique_ptr<ReactorChannel>>& channels,
            std::function<void(v1::HeartbeatRequest&)> fill_heartbeat, std::function<bool()> serves,
            Runtime& runtime);

  // Before the first Poll.
  void SetHttpAddress(const std::string& address) { facts_.http_address = address; }
  // Opens the channels. kInvalidArgument: a coordinator's address.
  absl::Status Connect(Runtime& runtime);
  size_t Poll();
  void Sleep(absl::Duration limit);

  // Some coordinator knows this node as ready. Thread-safe.
  bool known() const { return known_.load(std::memory_order_relaxed); }
  // Of a coordinator that says that this node is not its own: its drives were used in another
  // cluster, or another process has its state folder. Thread-safe.
  absl::Status refusal() const {
    MutexLock lock(mutex_);
    return refusal_;
  }
  // Nothing waits to be reported. Thread-safe.
  bool reported() const { return reported_.load(std::memory_order_relaxed); }

 private:
  size_t TakeReports();
  void TakeDrives(const ClusterId& cluster);
  void TakeRefusals();
  void HandOutTokenKeys();
  void HandOutCluster();
  void AskForSnapshots();

  const NodeIdentity identity_;
  std::vector<std::unique_ptr<ReactorChannel>>& channels_;
  CoordinatorLink::NodeFacts facts_;
  std::vector<std::string> addresses_;
  const std::vector<PublicKey> trusted_keys_;
  std::vector<std::unique_ptr<CoordinatorLink>> links_;
  std::vector<PublicKey> token_keys_;
  size_t drives_awaited_ = 0;  // reactors whose drives have not told yet
  std::string cluster_told_;
  size_t snapshots_ended_ = 0;
  bool snapshot_asked_ = false;
  std::atomic<bool> known_{false};
  std::atomic<bool> reported_{true};
  mutable Mutex mutex_;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_NODE_AGENT_H_
