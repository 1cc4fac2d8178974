// Replays requests against the index of a node without payloads, by the production policies.
//
// How hits are counted: the leading blocks that are present when the request comes, in either tier,
// up to the first absent one. Then all its blocks are used or stored, with one time for all.
#ifndef CAIRN_CACHE_MODEL_SIMULATION_H_
#define CAIRN_CACHE_MODEL_SIMULATION_H_

#include <cstdint>
#include <memory>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/ratio.h"
#include "cache/model/flash_model.h"
#include "cache/model/tier_model.h"

namespace cairn {

struct SimulationOptions {
  PolicyKind policy = PolicyKind::kLru;
  uint64_t dram_blocks = 0;
  uint64_t flash_blocks = 0;              // of the NVMe tier behind it; 0: there is none
  double flash_writes_per_reference = 0;  // its write budget; 0: no limit
  uint64_t blocks_max = 0;                // blocks are numbered below it
  uint32_t tokens_per_block = 1;          // the last block of a request may hold fewer
};

struct SimulationRequest {
  int64_t now_ms = 0;
  uint64_t tokens = 0;
  absl::Span<const ModelBlock> blocks;  // in the order of the prefix
};

struct SimulationResult {
  uint64_t references = 0;  // blocks
  uint64_t hits = 0;        // leading blocks present
  uint64_t tokens = 0;
  uint64_t hit_tokens = 0;
  uint64_t flash_writes = 0;  // blocks

  double block_hit_ratio() const { return Ratio(hits, references); }
  double token_hit_ratio() const { return Ratio(hit_tokens, tokens); }
  double flash_writes_per_reference() const { return Ratio(flash_writes, references); }
};

// One thread.
class Simulation {
 public:
  static absl::StatusOr<std::unique_ptr<Simulation>> Create(const SimulationOptions& options);
  // Requests come in order of time.
  void Take(const SimulationRequest& request);
  const SimulationResult& result() const { return result_; }
  const TierModel& dram() const { return *dram_; }

 private:
  Simulation(const SimulationOptions& options, std::unique_ptr<TierModel> dram,
             std::unique_ptr<FlashModel> flash)
      : options_(options), dram_(std::move(dram)), flash_(std::move(flash)) {}
  bool OnFlash(ModelBlock block) const { return flash_ != nullptr && flash_->Contains(block); }
  void TellFlash(const SimulationRequest& request);
  void Insert(const SimulationRequest& request, size_t index);

  const SimulationOptions options_;
  const std::unique_ptr<TierModel> dram_;
  const std::unique_ptr<FlashModel> flash_;  // nullptr: none
  SimulationResult result_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_MODEL_SIMULATION_H_
