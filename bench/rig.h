// A coordinator process, a node process, and a client of theirs in this one.
#ifndef CAIRN_BENCH_RIG_H_
#define CAIRN_BENCH_RIG_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cairn/v1/namespace.pb.h"
#include "client/client.h"
#include "client/tenant_file.h"
#include "server/cli/local_cluster.h"
#include "transport/network.h"

namespace cairn::bench {

struct RigOptions {
  uint32_t block_bytes = 1u << 20;
  uint32_t blocks = 64;  // in the client's memory, one slot each
  uint64_t dram_bytes = uint64_t{1} << 30;
  uint64_t nvme_bytes = 0;  // 0: no second tier
  bool telemetry = true;    // of node and client
};

class Rig {
 public:
  static absl::StatusOr<std::unique_ptr<Rig>> Start(const RigOptions& options);

  Client& client() { return *client_; }
  Network& network() { return *network_; }
  LocalCluster& cluster() { return *cluster_; }
  const TenantFile& tenant() const { return tenant_; }
  const v1::Namespace& ns() const { return ns_; }
  pid_t node_pid() { return cluster_->processes()[1].pid(); }

  // All blocks are one chain, stored in its order as an engine does: where a run goes is asked
  // once.
  BlockKey KeyOf(uint64_t number) const;
  // Stores blocks first, first + 1, ... from the slots, `batch` blocks a call, at most `depth`
  // calls in flight. GB/s. kInternal: one was refused, with the reason.
  absl::StatusOr<double> Put(uint64_t first, size_t count, size_t batch, size_t depth);
  // Reads blocks 0 to blocks - 1 round and round.
  absl::StatusOr<double> Get(size_t count, size_t batch, size_t depth);
  // One block at a time: the median in us.
  absl::StatusOr<double> GetLatency(size_t count);
  // The same while the client stores blocks *next, *next + 1, ... as fast as it can: the 99th
  // percentile in us, of reads of the first `hot` blocks. Refused puts do not matter.
  absl::StatusOr<double> GetTailUnderPuts(size_t count, size_t hot, uint64_t* next);

 private:
  explicit Rig(const RigOptions& options) : options_(options) {}
  absl::Status Build();
  absl::StatusOr<double> Run(bool put, uint64_t first, size_t count, size_t batch, size_t depth);
  absl::Status Submit(bool put, uint64_t number, size_t count);
  absl::StatusOr<size_t> Collect();
  absl::Status AwaitGet(uint64_t* next, size_t* puts);

  const RigOptions options_;
  v1::Namespace ns_;
  TenantFile tenant_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<LocalCluster> cluster_;
  std::vector<std::byte> memory_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<MemoryRegion> region_;
  std::vector<Extents> extents_;
  std::vector<Transfer> transfers_;
};

}  // namespace cairn::bench

#endif  // CAIRN_BENCH_RIG_H_
