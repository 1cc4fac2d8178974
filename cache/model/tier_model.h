// A tier's index without its bytes: which blocks a tier of so many blocks would hold under a
// policy. Runs the production policies by the shard's rules: tails before heads within a run, a
// parent is never the victim of its own child.
#ifndef CAIRN_CACHE_MODEL_TIER_MODEL_H_
#define CAIRN_CACHE_MODEL_TIER_MODEL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "cache/entry.h"
#include "cache/model/model_block.h"
#include "cache/policy/policy.h"
#include "cache/sparse_array.h"

namespace cairn {

// One thread. O(1) per call, no allocation after Create.
class TierModel {
 public:
  // capacity_blocks: 1 to kEntriesMax. blocks_max: numbers are below it.
  // kResourceExhausted: address space.
  static absl::StatusOr<std::unique_ptr<TierModel>> Create(PolicyKind policy,
                                                           uint64_t capacity_blocks,
                                                           uint64_t blocks_max);

  bool Contains(ModelBlock block) const { return entry_of_[block] != kNoEntry; }
  // A present block was used.
  void Touch(ModelBlock block, int64_t now_ms);

  struct Inserted {
    bool done = false;                   // false: nothing may go
    ModelBlock evicted = kNoModelBlock;  // what went for it
  };
  // An absent block; what it evicts is the caller's to offer to the next tier. predecessor: before
  // it in its chain, or kNoModelBlock; in the same run it is present.
  Inserted Insert(ModelBlock block, ModelBlock predecessor, uint32_t position, int64_t now_ms);

  const Policy& policy() const { return *policy_; }
  uint64_t size() const { return used_; }

 private:
  TierModel(uint64_t capacity_blocks, uint64_t blocks_max, SparseArray<Entry> entries,
            std::unique_ptr<Policy> policy);
  EntryId TakeEntry(int64_t now_ms, ModelBlock* evicted);
  void Release(EntryId id);

  const uint64_t capacity_blocks_;
  SparseArray<Entry> entries_;
  const std::unique_ptr<Policy> policy_;
  std::vector<EntryId> entry_of_;     // by block
  std::vector<ModelBlock> block_of_;  // by entry
  EntryId used_ = 0;                  // entries from here on are empty
};

}  // namespace cairn

#endif  // CAIRN_CACHE_MODEL_TIER_MODEL_H_
