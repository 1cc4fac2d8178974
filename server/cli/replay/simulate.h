// Replays a trace against the index of one node, without a cluster and without payloads: what a
// policy and a size of memory would give.
#ifndef CAIRN_SERVER_CLI_REPLAY_SIMULATE_H_
#define CAIRN_SERVER_CLI_REPLAY_SIMULATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cache/model/simulation.h"
#include "server/cli/replay/trace.h"

namespace cairn {

// A trace with its blocks numbered from 0 in order of appearance.
struct NumberedTrace {
  struct Request {
    int64_t now_ms;  // never before the request before
    uint64_t tokens;
    size_t first;  // of blocks
    size_t count;
  };
  std::vector<Request> requests;
  std::vector<ModelBlock> blocks;
  uint64_t unique = 0;
};
NumberedTrace NumberBlocks(const std::vector<TraceRequest>& trace);

struct SimulateOptions {
  PolicyKind policy = PolicyKind::kLearned;
  double dram_share = 0;                  // of the trace's unique blocks, above 0, at most 1
  double flash_share = 0;                 // the same of the NVMe tier; 0: there is none
  double flash_writes_per_reference = 0;  // its write budget; 0: no limit
};

absl::StatusOr<SimulationResult> Simulate(const NumberedTrace& trace,
                                          const SimulateOptions& options);

// "3%" is 0.03. kInvalidArgument names the option and the value.
absl::StatusOr<double> ParseShare(const std::string& option, const std::string& text);

std::string SimulationJson(const SimulationResult& result);
std::string SimulationText(const SimulationResult& result);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_SIMULATE_H_
