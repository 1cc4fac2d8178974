// The rows, a family per file.
#ifndef CAIRN_BENCH_ROWS_H_
#define CAIRN_BENCH_ROWS_H_

#include <functional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "bench/row.h"

namespace cairn::bench {

struct RowPlan {
  std::string name;
  // kNotFound: what it measures is not at hand, which is no failure.
  std::function<absl::StatusOr<Row>(size_t rounds)> run;
};

std::vector<RowPlan> TransferRows();    // get_ucx_tcp_*, put_ucx_tcp_1m, get_latency_64k
std::vector<RowPlan> LocateRows();      // locate_64
std::vector<RowPlan> IndexRows();       // index_lookup, index_memory
std::vector<RowPlan> AllocationRows();  // client_allocations
std::vector<RowPlan> PolicyRows();  // policy_3, policy_10, policy_30, policy_speed, flash_admission
std::vector<RowPlan> DiskRows();    // nvme_read_1m, nvme_write, log_recovery
std::vector<RowPlan> TierRows();    // dram_p99_under_nvme_writes
std::vector<RowPlan> TelemetryRows();  // telemetry_cost

}  // namespace cairn::bench

#endif  // CAIRN_BENCH_ROWS_H_
