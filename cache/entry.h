// What the index knows of one block, whichever tier holds its bytes. 56 bytes; with its share of
// the key table and the time of its last use 64, so a million blocks cost 64 MB. With NVMe a
// FlashLink beside it costs 16 more.
#ifndef CAIRN_CACHE_ENTRY_H_
#define CAIRN_CACHE_ENTRY_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "proto/identity.h"

namespace cairn {

using EntryId = uint32_t;  // 24 bits
inline constexpr EntryId kNoEntry = (1u << 24) - 1;
inline constexpr uint32_t kEntriesMax = kNoEntry;  // per shard
using SlotId = uint32_t;                           // 24 bits: a piece of the arena
inline constexpr SlotId kNoSlot = (1u << 24) - 1;
inline constexpr uint32_t kSlotsMax = kNoSlot;  // per shard: 64 GiB of 4 KiB slots
inline constexpr uint64_t kPinsMax = (1u << 16) - 1;
inline constexpr uint64_t kChildrenMax = (1u << 16) - 1;
inline constexpr uint32_t kTouchCountMax = (1u << 6) - 1;

enum class EntryState : uint8_t {
  kFree = 0,      // of no block
  kReserved = 1,  // being written; not in the key table
  kSealed = 2,    // visible
  kUnlinked = 3,  // not visible any more, pinned still
};

struct Entry {
  BlockKey key;
  Checksum checksum;
  // Links of the policy's list, or of the free list.
  uint64_t previous : 24;
  uint64_t next : 24;
  uint64_t pins : 16;
  uint64_t parent : 24;    // in the same run, or kNoEntry
  uint64_t slot : 24;      // kNoSlot: only on NVMe
  uint64_t children : 16;  // in DRAM, that name this one as their parent
  uint64_t length_bytes : 27;
  uint64_t scope : 16;
  uint64_t run_offset : 5;  // position - RunStart(position)
  uint64_t state : 2;
  uint64_t listed : 1;      // offered to the policy
  uint64_t unverified : 1;  // handed over by an earlier life, and not compared with its checksum
  // The policy's, with 3 bytes in its TouchTimes.
  uint64_t touches : 6;  // saturating; 0: the policy does not hold it
  uint64_t hint : 2;     // ReturnHint; stays while the block is on NVMe alone
  uint64_t mark : 1;     // each policy's own
  uint64_t depth : 3;    // DepthOf(position)
};
static_assert(sizeof(Entry) == 56);
static_assert(kBlockBytesMax < (1u << 27));

// How deep in its chain a block lies, coarsely. Runs of one chain are used at the same time: of
// those the deeper goes first.
constexpr uint32_t DepthOf(uint32_t position) {
  return std::min<uint32_t>(7, static_cast<uint32_t>(std::bit_width(position / 4)));
}

// What is known besides of a block on a node that has NVMe.
struct FlashLink {
  uint64_t segment : 20;
  uint64_t log : 4;
  uint64_t sector : 14;       // of the payload, from the segment's start
  uint64_t position : 24;     // in the chain
  uint64_t on_flash : 1;      // segment, log, sector tell where
  uint64_t loading : 1;       // its slot is being filled from there
  uint64_t first_child : 24;  // of all that name this one as their parent, in any tier
  uint64_t next_sibling : 24;
  uint64_t encrypted : 1;
  uint64_t used : 1;  // hit since it was written there
  uint64_t unused : 14;
};
static_assert(sizeof(FlashLink) == 16);
static_assert(kChainPositionMax < (1u << 24));

}  // namespace cairn

#endif  // CAIRN_CACHE_ENTRY_H_
