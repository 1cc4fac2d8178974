#include "cache/model/simulation.h"

#include <algorithm>

#include "base/status.h"
#include "proto/identity.h"

namespace cairn {

absl::StatusOr<std::unique_ptr<Simulation>> Simulation::Create(const SimulationOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(
      std::unique_ptr<TierModel> dram,
      TierModel::Create(options.policy, options.dram_blocks, options.blocks_max));
  std::unique_ptr<FlashModel> flash;
  if (options.flash_blocks > 0) {
    CAIRN_ASSIGN_OR_RETURN(flash, FlashModel::Create({options.flash_blocks, options.blocks_max,
                                                      options.flash_writes_per_reference}));
  }
  return std::unique_ptr<Simulation>(new Simulation(options, std::move(dram), std::move(flash)));
}

void Simulation::Take(const SimulationRequest& request) {
  const absl::Span<const ModelBlock> blocks = request.blocks;
  size_t hits = 0;
  while (hits < blocks.size() && (dram_->Contains(blocks[hits]) || OnFlash(blocks[hits]))) ++hits;
  result_.references += blocks.size();
  result_.hits += hits;
  result_.tokens += request.tokens;
  result_.hit_tokens += std::min<uint64_t>(hits * options_.tokens_per_block, request.tokens);

  if (flash_ != nullptr) TellFlash(request);
  for (size_t i = blocks.size(); i > 0; --i) {
    if (dram_->Contains(blocks[i - 1])) dram_->Touch(blocks[i - 1], request.now_ms);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (dram_->Contains(blocks[i])) continue;
    // Behind the first absent block nothing is loaded: the engine stores it, and it is there.
    if (i >= hits && OnFlash(blocks[i])) continue;
    Insert(request, i);
  }
}

void Simulation::TellFlash(const SimulationRequest& request) {
  flash_->Referenced(request.blocks.size());
  for (size_t i = 0; i < request.blocks.size(); ++i) {
    const ModelBlock block = request.blocks[i];
    if (dram_->Contains(block) || flash_->Contains(block)) {
      flash_->Used(block);
    } else {
      flash_->Stored(block, i == 0 ? kNoModelBlock : request.blocks[i - 1],
                     static_cast<uint32_t>(i));
    }
  }
}

void Simulation::Insert(const SimulationRequest& request, size_t index) {
  const auto position = static_cast<uint32_t>(index);
  const ModelBlock before = index == 0 ? kNoModelBlock : request.blocks[index - 1];
  if (RunStart(position) != position && !dram_->Contains(before)) return;
  const TierModel::Inserted inserted =
      dram_->Insert(request.blocks[index], before, position, request.now_ms);
  if (flash_ == nullptr || inserted.evicted == kNoModelBlock) return;
  flash_->Offer(inserted.evicted);
  result_.flash_writes = flash_->writes();
}

}  // namespace cairn
