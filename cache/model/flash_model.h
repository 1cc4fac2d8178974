// The NVMe tier without its bytes: which of the blocks that leave DRAM it would hold. Runs the
// production admission by the tier's rules: what is admitted takes what is before it in its run
// along, and what was written first goes first.
#ifndef CAIRN_CACHE_MODEL_FLASH_MODEL_H_
#define CAIRN_CACHE_MODEL_FLASH_MODEL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "cache/admission/chain_admission.h"
#include "cache/admission/chain_table.h"
#include "cache/admission/drive_budget.h"
#include "cache/model/model_block.h"

namespace cairn {

struct FlashModelOptions {
  uint64_t capacity_blocks = 0;     // at least 1
  uint64_t blocks_max = 0;          // blocks are numbered below it
  double writes_per_reference = 0;  // the write budget; 0: no limit
};

// One thread. O(1) per call but for Offer, O(blocks of a run); no allocation after Create.
class FlashModel {
 public:
  // kInvalidArgument names the field. kResourceExhausted: address space.
  static absl::StatusOr<std::unique_ptr<FlashModel>> Create(const FlashModelOptions& options);

  bool Contains(ModelBlock block) const { return held_[block]; }
  // So many blocks were referenced: the budget grows by them, whatever the trace's clock says.
  void Referenced(uint64_t blocks);
  // predecessor: before it in its chain, or kNoModelBlock.
  void Stored(ModelBlock block, ModelBlock predecessor, uint32_t position);
  // A block that is present, in either tier.
  void Used(ModelBlock block);
  // It left DRAM, and what is before it in its run is there.
  void Offer(ModelBlock block);

  uint64_t writes() const { return writes_; }

 private:
  // Advances with the references.
  class ReferenceClock final : public Clock {
   public:
    Instant Now() override { return now; }
    int64_t UnixSeconds() override { return 0; }
    Instant now{1};
  };
  struct Place {
    ModelBlock parent = kNoModelBlock;  // in the same run
    uint32_t position = 0;
  };

  FlashModel(const FlashModelOptions& options, std::unique_ptr<ChainTable> chains);
  ChainAdmission::Block Describe(ModelBlock block) const;
  void Write(ModelBlock block);

  const FlashModelOptions options_;
  const std::unique_ptr<ChainTable> chains_;
  ChainAdmission admission_;
  ReferenceClock clock_;
  DriveBudget budget_;
  std::vector<bool> held_;           // by block
  std::vector<Place> places_;        // by block
  std::vector<ModelBlock> written_;  // a ring: oldest at writes_ % capacity once it is full
  uint64_t writes_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_MODEL_FLASH_MODEL_H_
