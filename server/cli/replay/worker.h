// One client process of a replay, and what it and the dispatcher say to each other over a
// SOCK_SEQPACKET pair: orders (a request's number) and outcomes.
#ifndef CAIRN_SERVER_CLI_REPLAY_WORKER_H_
#define CAIRN_SERVER_CLI_REPLAY_WORKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "server/cli/block_client.h"
#include "server/cli/figures.h"
#include "server/cli/replay/trace.h"

namespace cairn {

inline constexpr int kReplayChannelDescriptor = 3;
inline constexpr char kReplayModel[] = "trace-replay";  // of the namespace

struct ReplayWorkerOptions {
  BlockClientOptions client;
  std::string trace;
};

struct ReplayOrder {
  uint32_t request = 0;
};

// Followed by get_count uint32: the latency of each get in microseconds.
struct ReplayOutcome {
  uint32_t request = 0;
  uint32_t lookups = 0;
  uint32_t hits = 0;  // leading blocks that were fetched and verified
  uint32_t get_count = 0;
  uint64_t got_bytes = 0;
  uint64_t put_bytes = 0;
  uint64_t wrong_bytes = 0;   // of gets that the client called good
  uint32_t late_answers = 0;  // completions past their deadline
  uint32_t put_failures = 0;
  ReasonCounts misses{};
};

// Until the dispatcher closes the channel.
absl::Status RunReplayWorker(const ReplayWorkerOptions& options, int channel);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_WORKER_H_
