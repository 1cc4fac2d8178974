// Replays a trace through real clients, in processes of their own, against a running cluster.
#ifndef CAIRN_SERVER_CLI_REPLAY_REPLAY_H_
#define CAIRN_SERVER_CLI_REPLAY_REPLAY_H_

#include <functional>

#include <absl/status/statusor.h>

#include "server/cli/replay/summary.h"
#include "server/cli/replay/worker.h"

namespace cairn {

struct ReplayOptions {
  ReplayWorkerOptions worker;
  int64_t clients = 4;  // processes, 1 to 64
  double speed = 0;     // 1: as the time stamps say; 10: ten times as fast; 0: as fast as possible
  int64_t requests_max = 0;  // 0: the whole trace
};

struct ReplayProgress {
  uint64_t done = 0;
  uint64_t total = 0;
  double seconds = 0;
  uint64_t lookups = 0;  // blocks
  uint64_t hits = 0;
};

// A request begins when those have ended that first compute a block of it: so the result does not
// depend on the number of clients. progress: called often; false ends the replay early.
// kUnavailable: nobody answers, or a client process ended; the message says which.
absl::StatusOr<ReplaySummary> Replay(const ReplayOptions& options,
                                     const std::function<bool(const ReplayProgress&)>& progress);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_REPLAY_H_
