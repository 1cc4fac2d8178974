// A node: reactors that serve blocks, and the agent that speaks with coordinators.
//
// In production each reactor has a thread (NodeThreads); in the simulation everything is polled by
// one. The parts meet only through bounded SPSC rings and relaxed counters.
#ifndef CAIRN_SERVER_NODE_NODE_H_
#define CAIRN_SERVER_NODE_NODE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/runtime.h"
#include "cache/disk/record_codec.h"
#include "cache/shard.h"
#include "proto/identity.h"
#include "proto/token.h"

namespace cairn {

namespace v1 {
class GetNodeStatusReply;
}

// Of the sessions by which a node reads from itself; the registry counts from 1 and never gets
// here.
inline constexpr TenantId kSelfTenant = UINT32_MAX;

// Far beyond what a turn takes: the process wants to be started again.
inline constexpr absl::Duration kReactorStallMax = absl::Seconds(10);

struct NodeOptions {
  std::vector<std::string> coordinators;  // "host:port"; all of them get reports
  std::string listen_address =
      "127.0.0.1:0";  // data plane; reactor i listens at port + i, or each at a free port with 0
  std::string state_folder;            // node id and incarnation live here
  uint64_t capacity_bytes = 1u << 30;  // DRAM over all reactors; at least 16 MiB a reactor
  uint32_t reactors = 1;               // 1 to 256
  bool huge_pages = true;
  PolicyKind policy = PolicyKind::kLearned;  // of eviction from DRAM
  std::vector<std::string> nvme_paths;  // of the second tier: folders, or /dev/... whole devices
  uint64_t nvme_bytes = 0;              // in each folder, over all reactors
  uint64_t nvme_segment_bytes = 64u << 20;
  bool nvme_preallocate = true;
  std::optional<DiskKey> nvme_key;  // encrypts what is written there
  // What may be written of each path a day: so often its size, or so many bytes; both 0: no limit.
  double nvme_dwpd = 0;
  uint64_t nvme_daily_write_bytes = 0;
  uint32_t sessions_max = 1024;  // per reactor
  uint64_t session_inflight_bytes_max = 64u << 20;
  uint64_t tenant_inflight_bytes_max = 1u << 30;  // per reactor
  uint32_t fetches_per_session_max = 256;
  uint32_t puts_per_session_max = 256;
  uint64_t pinned_bytes_per_session_max = 1u << 30;
  uint32_t chunk_bytes = 1u << 20;  // of a push; 64 KiB to 4 MiB
  absl::Duration lease_max = absl::Seconds(60);
  absl::Duration heartbeat_timeout =
      absl::Seconds(3);  // silence of a client after which its session ends
  absl::Duration watchdog_grace =
      absl::Seconds(1);  // past a transfer's deadline its endpoint is torn down
  absl::Duration hello_timeout = absl::Seconds(2);  // an endpoint without a valid Hello is closed
  absl::Duration report_interval = absl::Milliseconds(5);
  bool record_latencies = true;  // of gets; false only to measure what that costs
  absl::Duration drain_timeout = absl::Seconds(30);
  // What the life before left, a shard per reactor; taken by Create when it is of this node's last
  // life and fits, else the node begins empty and logs why. nullptr: nothing.
  std::vector<WarmShard>* warm = nullptr;
  std::vector<PublicKey> trusted_keys;  // besides the coordinators'; for tests of itself

  // kInvalidArgument names the field, the value and the range.
  absl::Status Validate() const;
};

class Node {
 public:
  // Reads or makes the identity (a greater incarnation at each start), allocates the arenas, binds
  // the ports. Errors name field and remedy. runtime's members outlive the node.
  static absl::StatusOr<std::unique_ptr<Node>> Create(const NodeOptions& options, Runtime& runtime);
  virtual ~Node() = default;

  // Told to coordinators, for people. Before anybody polls.
  virtual void SetHttpAddress(const std::string& address) = 0;
  virtual size_t reactor_count() const = 0;
  // Advances reactor i; its owning thread only. Returns the number of events; 0: idle.
  virtual size_t PollReactor(size_t i) = 0;
  // Blocks until reactor i has work, at most `limit`. Only with lanes that have descriptors.
  virtual void SleepReactor(size_t i, absl::Duration limit) = 0;
  // Advances registration, heartbeats, reports; the control thread only.
  virtual size_t PollAgent() = 0;
  virtual void SleepAgent(absl::Duration limit) = 0;

  // Not ready, no new sessions, placements or puts; what is in flight ends. Thread-safe.
  virtual void BeginDrain() = 0;
  // True when nothing is in flight and the last reports are acknowledged, or drain_timeout passed.
  virtual bool drained() const = 0;

  // Registered with a coordinator, its self-get works, not draining. Thread-safe.
  virtual bool ready() const = 0;
  // kUnavailable: a reactor has not turned its loop for kReactorStallMax; names it. Reactors that
  // nobody polls yet count as healthy, those that sleep turn it often. Thread-safe.
  virtual absl::Status health() const = 0;
  // Why the node must not start: a drive of another node, cluster or format, or damaged beyond use;
  // or another process has its identity. kOk: nothing. Thread-safe.
  virtual absl::Status refusal() const = 0;
  // What somebody who reads through the data path found; true until told otherwise. While false,
  // coordinators place nothing here. Thread-safe.
  virtual void SetSelfGetWorks(bool works) = 0;
  // Thread-safe.
  virtual void FillStatus(v1::GetNodeStatusReply& status) const = 0;
  virtual const NodeId& id() const = 0;
  virtual uint64_t incarnation() const = 0;
  virtual std::vector<std::string> reactor_addresses() const = 0;
  // Prometheus text of all reactors. Thread-safe.
  virtual std::string MetricsText() const = 0;
  // Its memory, for the next life. When drained and nobody polls any more.
  virtual absl::StatusOr<std::vector<WarmShard>> HandOver() const = 0;
  // The shard of reactor i, for tests and the simulation's oracles.
  virtual Shard& shard(size_t i) = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_NODE_H_
