// What the NVMe tier brings under a write budget, on the conversation trace.
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "bench/rows.h"
#include "cache/model/simulation.h"
#include "server/cli/replay/trace.h"

namespace cairn::bench {
namespace {

// From the repository's root, not a part of it.
constexpr char kTrace[] = "../shared/traces/mooncake_conversation.jsonl";
constexpr double kDramPart = 0.03;  // of the trace's blocks; NVMe holds all
constexpr double kWritesPerReference = 0.53;

struct DenseTrace {
  std::vector<TraceRequest> requests;
  std::vector<std::vector<ModelBlock>> blocks;  // of each request
  uint64_t unique_blocks = 0;
};

absl::StatusOr<DenseTrace> ReadDense() {
  DenseTrace trace;
  CAIRN_ASSIGN_OR_RETURN(trace.requests, ReadTrace(kTrace));
  absl::flat_hash_map<uint64_t, ModelBlock> numbers;
  for (const TraceRequest& request : trace.requests) {
    std::vector<ModelBlock>& blocks = trace.blocks.emplace_back();
    for (const uint64_t id : request.block_ids) {
      const auto next = static_cast<ModelBlock>(numbers.size());
      blocks.push_back(numbers.try_emplace(id, next).first->second);
    }
  }
  trace.unique_blocks = numbers.size();
  return trace;
}

absl::StatusOr<Row> RunAdmission(size_t) {
  Row row{.name = "flash_admission",
          .unit = "% token hits",
          .better = Better::kHigher,
          .bar = 34.6,
          .baselines = {0}};
  CAIRN_ASSIGN_OR_RETURN(const DenseTrace trace, ReadDense());
  SimulationOptions options;
  options.policy = PolicyKind::kLearned;
  options.dram_blocks = static_cast<uint64_t>(kDramPart * static_cast<double>(trace.unique_blocks));
  options.flash_blocks = trace.unique_blocks;
  options.flash_writes_per_reference = kWritesPerReference;
  options.blocks_max = trace.unique_blocks;
  options.tokens_per_block = kTraceTokensPerBlock;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Simulation> simulation, Simulation::Create(options));
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    simulation->Take(
        {trace.requests[i].timestamp_ms, trace.requests[i].input_tokens, trace.blocks[i]});
  }
  const SimulationResult& result = simulation->result();
  if (result.flash_writes_per_reference() > kWritesPerReference) {
    return absl::InternalError(absl::StrCat(result.flash_writes_per_reference(),
                                            " writes per reference: above the budget of ",
                                            kWritesPerReference));
  }
  row.values = {100 * result.token_hit_ratio()};
  return row;
}

}  // namespace

std::vector<RowPlan> AdmissionRows() { return {{"flash_admission", RunAdmission}}; }

}  // namespace cairn::bench
