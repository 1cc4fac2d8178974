// Which blocks go from DRAM to NVMe when its write budget is smaller than what leaves DRAM.
//
// Decided once per chain and inherited by what is added to it, for a hole in a chain costs all that
// lies behind it. A rejected chain that is asked for again is decided anew. The classes of chains
// that come back most often go first, as far as the budget reaches; of the class where it ends a
// part goes, drawn by chain. The last block of a run's branch has nothing behind it, and is a class
// of its own: engines cut a prompt into blocks anew where it went on.
#ifndef CAIRN_CACHE_ADMISSION_CHAIN_ADMISSION_H_
#define CAIRN_CACHE_ADMISSION_CHAIN_ADMISSION_H_

#include <cstdint>
#include <optional>

#include "cache/admission/chain_table.h"
#include "cache/admission/leaving_classes.h"
#include "cache/policy/policy.h"
#include "proto/identity.h"

namespace cairn {

// Of one reactor; one thread. O(1) per call, no allocation.
class ChainAdmission {
 public:
  // What a block's admission may depend on.
  struct Block {
    BlockKey key;
    BlockKey parent;   // the block before it, in whichever run; zero: none, or not known
    BlockKey run_key;  // when offered: for blocks that are not remembered
    uint32_t position = 0;
    uint64_t bytes = 0;  // when offered
  };

  // The table outlives it.
  explicit ChainAdmission(ChainTable& table) : table_(table) {}

  // An engine stored the block, for the first time or again.
  void Stored(const Block& block, ReturnHint hint);
  // A sealed block was asked for.
  void Used(const BlockKey& key);

  // A block leaves DRAM that has no copy on NVMe: shall it have one, now that `share` of the bytes
  // can be written?
  bool Admit(const Block& block, double share);
  // It gets one because a block behind it was admitted.
  void Follow(const Block& block);

 private:
  // A block that leaves DRAM, as it is remembered.
  struct Leaving {
    ChainId chain;
    ReturnHint hint;
    LeavingTraits traits;
    LeavingClass cls;
  };

  void UsedAgain(BlockSlot slot);
  ChainId ChainFor(const Block& block, ReturnHint hint);
  ChainId BeginChain(const BlockKey& root, ChainOrigin origin, ReturnHint hint);
  BlockSlot SlotOf(const Block& block);
  BlockSlot InsertForgotten(const BlockKey& key, ChainId chain);
  void Lengthen(ChainId id, uint32_t position);
  Leaving Leave(const Block& block);
  void Count(const Leaving& leaving, uint64_t bytes);
  void Decide(ChainId id, bool admitted);

  ChainTable& table_;
  LeavingClasses classes_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_ADMISSION_CHAIN_ADMISSION_H_
