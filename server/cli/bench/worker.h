// One client of a load: keeps `depth` calls in flight, puts of new chains and gets of recent ones,
// and checks every byte that it gets.
#ifndef CAIRN_SERVER_CLI_BENCH_WORKER_H_
#define CAIRN_SERVER_CLI_BENCH_WORKER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "base/histogram.h"
#include "base/random.h"
#include "server/cli/bench/summary.h"
#include "server/cli/bench/working_set.h"
#include "server/cli/block_client.h"

namespace cairn {

struct BenchLoad {
  size_t batch = 32;       // blocks a call: the head of a chain
  size_t depth = 4;        // calls in flight
  double get_share = 0.5;  // of the calls, 0 to 1
  size_t working_set = 1;  // chains that gets choose from: the latest ones stored
};

// What a load and whoever watches it tell each other.
struct BenchSignals {
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> completed_blocks{0};  // misses among them
  std::atomic<uint64_t> moved_blocks{0};
};

// One thread.
class BenchWorker {
 public:
  // blocks: with depth x batch slots. All outlive the worker.
  BenchWorker(BlockClient& blocks, const BenchLoad& load, BenchSignals& signals, Random& random);

  // Stores the working set, so that gets have something to find. kUnavailable: nothing could be
  // stored; the message has the reasons.
  absl::Status Prepare();
  // Until `calls` have completed or signals.stopping. An error is our own mistake.
  absl::StatusOr<BenchSummary> Measure(uint64_t calls);

 private:
  struct Call {
    std::vector<BlockKey> keys;
    uint64_t chain = 0;
    bool is_put = false;
    size_t left = 0;  // blocks that have not completed; 0: the call is free
    size_t failed = 0;
    Instant begun;
    Instant deadline;
  };
  struct Tally {
    BenchSummary summary;
    Histogram get_latency_us;
    Histogram put_latency_us;
  };

  absl::Status Run(uint64_t calls, double get_share);
  // Returns how many of at most `calls` it could begin.
  absl::StatusOr<uint64_t> BeginCalls(uint64_t calls, double get_share);
  // kResourceExhausted: a bound of the client's is reached, nothing was begun.
  absl::Status Begin(size_t index, bool is_put);
  void MakeKeys(Call& call) const;
  void Take(const Completion& completion, Instant now);
  void TakeBlock(const Call& call, const Completion& completion, uint64_t latency_us);

  BlockClient& blocks_;
  const BenchLoad load_;
  BenchSignals& signals_;
  Random& random_;
  const uint64_t salt_;  // no two workers ever store the same chain
  std::vector<Call> calls_;
  std::vector<Transfer> transfers_;
  WorkingSet stored_;
  uint64_t next_chain_ = 0;
  double gets_due_ = 0;  // so that any stretch of calls has the share asked for
  size_t in_flight_ = 0;
  std::unique_ptr<Tally> tally_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_BENCH_WORKER_H_
