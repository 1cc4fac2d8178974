// A load of puts and gets against a running cluster, from clients in this process, a thread each.
#ifndef CAIRN_SERVER_CLI_BENCH_BENCH_H_
#define CAIRN_SERVER_CLI_BENCH_BENCH_H_

#include <cstdint>
#include <functional>

#include <absl/status/statusor.h>

#include "server/cli/bench/summary.h"
#include "server/cli/block_client.h"

namespace cairn {

struct BenchOptions {
  BlockClientOptions client;
  int64_t clients = 1;
  int64_t batch = 32;                 // blocks a call
  int64_t depth = 4;                  // calls in flight of each client
  double get_share = 0.5;             // of the calls; the rest are puts
  uint64_t working_set = 256u << 20;  // bytes over all clients that gets choose from
  double seconds = 0;                 // 0: until `blocks`; with that 0 too, kSecondsDefault
  int64_t blocks = 0;                 // over all clients; 0: until `seconds`
  static constexpr double kSecondsDefault = 10;

  // kInvalidArgument names the field, the value and the remedy.
  absl::Status Validate() const;
};

struct BenchProgress {
  bool prepares = false;      // stores the working set; not measured
  uint64_t moved_blocks = 0;  // since the measurement began
  double seconds = 0;
  double done = 0;  // of 1
};

// progress: called about every 50 ms; false ends the load early. kUnavailable: the cluster cannot
// be reached, or takes nothing.
absl::StatusOr<BenchSummary> RunBench(const BenchOptions& options,
                                      const std::function<bool(const BenchProgress&)>& progress);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_BENCH_BENCH_H_
