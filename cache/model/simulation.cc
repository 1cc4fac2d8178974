#include "cache/model/simulation.h"

#include <algorithm>

#include "base/status.h"
#include "proto/identity.h"

namespace cairn {

absl::StatusOr<std::unique_ptr<Simulation>> Simulation::Create(const SimulationOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(
      std::unique_ptr<TierModel> dram,
      TierModel::Create(options.policy, options.dram_blocks, options.blocks_max));
  return std::unique_ptr<Simulation>(new Simulation(options, std::move(dram)));
}

void Simulation::Take(const SimulationRequest& request) {
  const absl::Span<const ModelBlock> blocks = request.blocks;
  size_t hits = 0;
  while (hits < blocks.size() && dram_->Contains(blocks[hits])) ++hits;
  result_.references += blocks.size();
  result_.hits += hits;
  result_.tokens += request.tokens;
  result_.hit_tokens += std::min<uint64_t>(hits * options_.tokens_per_block, request.tokens);

  for (size_t i = blocks.size(); i > 0; --i) {
    if (dram_->Contains(blocks[i - 1])) dram_->Touch(blocks[i - 1], request.now_ms);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (dram_->Contains(blocks[i])) continue;
    const auto position = static_cast<uint32_t>(i);
    const ModelBlock before = i == 0 ? kNoModelBlock : blocks[i - 1];
    if (RunStart(position) != position && !dram_->Contains(before)) continue;
    dram_->Insert(blocks[i], before, position, request.now_ms);
  }
}

}  // namespace cairn
