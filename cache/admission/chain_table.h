// What a node remembers of the blocks that it saw lately, in DRAM, on NVMe or gone, and of the
// chains that they belong to. Keys and a few bits, no bytes.
//
// A chain is what one session adds behind what was there before: the first child of a block goes on
// with its parent's chain, a further child begins one of its own. So the root that all sessions
// share is no chain's identity, and neither is a run that they share.
//
// One per node: the runs of a chain live on several reactors, and each of them must know what the
// others decided. All of it is hints in relaxed atomics: a lost update costs a worse guess and
// nothing else.
#ifndef CAIRN_CACHE_ADMISSION_CHAIN_TABLE_H_
#define CAIRN_CACHE_ADMISSION_CHAIN_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <absl/status/statusor.h>

#include "cache/sparse_array.h"
#include "proto/identity.h"

namespace cairn {

using ChainId = uint32_t;    // 23 bits
using BlockSlot = uint32_t;  // of a block that is remembered

inline constexpr size_t kRememberedBlocksMin = 1u << 10;
inline constexpr size_t kRememberedBlocksMax = 1u << 24;
// Of NVMe: what a node remembers for it.
inline constexpr uint64_t kBytesPerRememberedBlock = 256u << 10;

struct RememberedBlock {
  uint64_t used : 1;
  uint64_t stamp : 5;  // when it was last used; wraps
  uint64_t fingerprint : 19;
  uint64_t chain : 23;
  uint64_t uses : 2;        // saturating; the first is when it was made
  uint64_t children : 5;    // saturating
  uint64_t left_class : 9;  // as this class it left DRAM, or was copied to NVMe; 0: not since it
                            // was last used
};
static_assert(sizeof(RememberedBlock) == 8);
inline constexpr uint32_t kUsesMax = 3;
inline constexpr uint32_t kChildrenCounted = 31;

enum class ChainDecision : uint8_t { kNone, kAdmitted, kRejected };

struct RememberedChain {
  uint64_t draw : 32;    // uniform
  uint64_t length : 22;  // highest position seen, plus one; saturating
  uint64_t origin : 2;   // ChainOrigin
  uint64_t used_again : 1;
  uint64_t decision : 2;  // ChainDecision
  uint64_t hint : 2;      // ReturnHint
  uint64_t unused : 3;
};
static_assert(sizeof(RememberedChain) == 8);
inline constexpr uint32_t kChainLengthMax = (1u << 22) - 1;

// Thread-safe. O(1): one cache line a block, one a chain. 12 bytes a block, and no allocation after
// Create.
class ChainTable {
 public:
  // For so many blocks, rounded up to a power of two within the limits above. kResourceExhausted:
  // address space.
  static absl::StatusOr<std::unique_ptr<ChainTable>> Create(size_t blocks);

  std::optional<BlockSlot> Find(const BlockKey& key) const;
  // Of a block that is not found. When there is no room, the block of its line that was not used
  // for the longest time is forgotten.
  BlockSlot Insert(const BlockKey& key, ChainId chain);
  RememberedBlock Load(BlockSlot slot) const {
    return blocks_[slot].load(std::memory_order_relaxed);
  }
  void Store(BlockSlot slot, RememberedBlock block) {
    blocks_[slot].store(block, std::memory_order_relaxed);
  }
  // For a block that is used now.
  uint32_t stamp() const { return stamp_.load(std::memory_order_relaxed) % kStamps; }

  // Takes the place of the chain that was added first.
  ChainId AddChain(RememberedChain chain);
  RememberedChain LoadChain(ChainId id) const {
    return chains_[id].load(std::memory_order_relaxed);
  }
  void StoreChain(ChainId id, RememberedChain chain) {
    chains_[id].store(chain, std::memory_order_relaxed);
  }

 private:
  using Blocks = SparseArray<std::atomic<RememberedBlock>>;
  using Chains = SparseArray<std::atomic<RememberedChain>>;
  static constexpr size_t kLineBlocks = 8;  // 64 bytes
  static constexpr size_t kBlocksPerChain = 2;
  static_assert(kRememberedBlocksMax / kBlocksPerChain <= 1u << 23);
  static constexpr uint32_t kStamps = 32;
  static constexpr size_t kStampsPerTable = 16;  // while all of the table is replaced

  ChainTable(Blocks blocks, Chains chains)
      : blocks_(std::move(blocks)), chains_(std::move(chains)) {}
  BlockSlot LineOf(const BlockKey& key) const;

  Blocks blocks_;
  Chains chains_;
  std::atomic<uint32_t> next_chain_{0};
  std::atomic<uint32_t> stamp_{0};
};

}  // namespace cairn

#endif  // CAIRN_CACHE_ADMISSION_CHAIN_TABLE_H_
