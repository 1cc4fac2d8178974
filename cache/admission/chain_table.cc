#include "cache/admission/chain_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/status.h"

namespace cairn {
namespace {

// Keys are uniform; the line is of the first word's low bits, the fingerprint of its high ones.
uint32_t FingerprintOf(const BlockKey& key) { return static_cast<uint32_t>(key.Word(0) >> 45); }

}  // namespace

absl::StatusOr<std::unique_ptr<ChainTable>> ChainTable::Create(size_t blocks) {
  const size_t slots =
      std::bit_ceil(std::clamp(blocks, kRememberedBlocksMin, kRememberedBlocksMax));
  CAIRN_ASSIGN_OR_RETURN(Blocks block_array, Blocks::Create(slots));
  CAIRN_ASSIGN_OR_RETURN(Chains chain_array, Chains::Create(slots / kBlocksPerChain));
  return std::unique_ptr<ChainTable>(
      new ChainTable(std::move(block_array), std::move(chain_array)));
}

BlockSlot ChainTable::LineOf(const BlockKey& key) const {
  return static_cast<BlockSlot>(key.Word(0) * kLineBlocks & (blocks_.size() - 1));
}

std::optional<BlockSlot> ChainTable::Find(const BlockKey& key) const {
  const uint32_t fingerprint = FingerprintOf(key);
  const BlockSlot line = LineOf(key);
  for (BlockSlot slot = line; slot < line + kLineBlocks; ++slot) {
    const RememberedBlock block = Load(slot);
    if (block.used == 1 && block.fingerprint == fingerprint) return slot;
  }
  return std::nullopt;
}

BlockSlot ChainTable::Insert(const BlockKey& key, ChainId chain) {
  const uint32_t fingerprint = FingerprintOf(key);
  const BlockSlot line = LineOf(key);
  // The chance of a key counts for us: no line that every core writes for each block.
  if (key.Word(1) % (blocks_.size() / kStampsPerTable) == 0) {
    stamp_.fetch_add(1, std::memory_order_relaxed);
  }
  BlockSlot place = line;
  uint32_t oldest = 0;
  for (BlockSlot slot = line; slot < line + kLineBlocks; ++slot) {
    const RememberedBlock block = Load(slot);
    const uint32_t age = block.used == 0 ? kStamps : (stamp() - block.stamp) % kStamps;
    if (age >= oldest) place = slot;
    oldest = std::max(oldest, age);
  }
  RememberedBlock made{};
  made.used = 1;
  made.fingerprint = fingerprint;
  made.chain = chain;
  made.uses = 1;
  made.stamp = stamp();
  Store(place, made);
  return place;
}

ChainId ChainTable::AddChain(RememberedChain chain) {
  const uint32_t id =
      next_chain_.fetch_add(1, std::memory_order_relaxed) % static_cast<uint32_t>(chains_.size());
  StoreChain(id, chain);
  return id;
}

}  // namespace cairn
