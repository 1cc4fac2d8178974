// A simulated cluster of production nodes and coordinators, and the engines that use it.
#ifndef CAIRN_TESTS_SIM_CLUSTER_H_
#define CAIRN_TESTS_SIM_CLUSTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/runtime.h"
#include "cache/shard.h"
#include "proto/inventory.h"
#include "server/coordinator/coordinator.h"
#include "server/node/node.h"
#include "server/registry/registry.h"
#include "tests/sim/chains.h"
#include "tests/sim/engine.h"
#include "tests/sim/verdict.h"
#include "transport/sim/sim_world.h"

namespace cairn::sim {

struct ClusterOptions {
  SimWorldOptions world;
  size_t nodes = 5;
  size_t coordinators = 1;
  size_t engines = 8;
  uint32_t reactors = 1;  // of each node
  uint64_t capacity_bytes = 64u << 20;
  uint64_t nvme_bytes = 0;       // behind it, of each reactor; 0: none
  uint32_t block_bytes = 16384;  // of the first namespace; the second one's are twice as large
  size_t chain_blocks_max = 40;
  bool honest_network = true;  // headers arrive as they were sent, once
  bool arena_rots = false;     // bits of the nodes' memory flip
};

// One machine of the cluster with the component that runs on it, if it runs.
template <typename Component>
struct Process {
  SimHost& host;
  Runtime runtime;
  std::unique_ptr<Component> component = nullptr;
};

class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  SimWorld& world() { return world_; }
  // A host that no coordinator, node or engine of the cluster lives on.
  SimHost& AddGuest();
  SimScheduler& scheduler() { return world_.scheduler(); }
  Verdict& verdict() { return verdict_; }

  std::vector<Process<Node>>& nodes() { return nodes_; }
  std::vector<Process<Coordinator>>& coordinators() { return coordinators_; }
  std::vector<std::unique_ptr<Engine>>& engines() { return engines_; }

  // Two tenants, two namespaces of different models.
  const TenantRecord& tenant(size_t i) const { return tenants_[i]; }
  const v1::Namespace& ns(size_t i) const { return namespaces_[i]; }
  ClientOptions MakeClientOptions(size_t tenant) const;

  size_t reactors() const { return options_.reactors; }  // of each node
  // With nvme_bytes.
  SimDevice& drive(size_t node, size_t reactor);

  // On a live host without a component. False: it refused to start; try again later.
  bool StartNode(size_t i);
  bool StartCoordinator(size_t i);
  void CrashNode(size_t i, SimCrash how);
  void CrashCoordinator(size_t i, SimCrash how);

  // What must hold at any moment: invariants of every shard, used bytes are those of the resident
  // blocks, memory at rest is at rest.
  void Check();
  // What must hold some time after all clients have gone and all faults are healed: nothing is
  // pinned, resident blocks hold their payload, each coordinator knows them all.
  void CheckIdle();

 private:
  void AddEngines();
  void CheckResident(Shard& shard, bool exactly);
  void CheckBytes(Shard& shard, const InventoryChange& change, const Ledger::Block& block);
  void CheckIndex(Coordinator& coordinator);

  const ClusterOptions options_;
  SimWorld world_;
  Verdict verdict_;
  Ledger ledger_;
  std::unique_ptr<Registry> registry_;
  std::array<TenantRecord, 2> tenants_;
  std::array<v1::Namespace, 2> namespaces_;
  std::vector<std::string> coordinator_addresses_;
  std::vector<Process<Coordinator>> coordinators_;
  std::vector<Process<Node>> nodes_;
  std::vector<std::unique_ptr<Engine>> engines_;
  size_t guests_ = 0;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_CLUSTER_H_
