// What the index knows of one block. 56 bytes; with its share of the key table 61, so a million
// blocks cost 61 MB. An entry's number is its slot's number: slab * slots of a slab + slot, so the
// slot needs no field, and entries of slots that do not exist are pages that are never touched.
#ifndef CAIRN_CACHE_ENTRY_H_
#define CAIRN_CACHE_ENTRY_H_

#include <cstddef>
#include <cstdint>

#include "proto/identity.h"

namespace cairn {

using EntryId = uint32_t;  // 24 bits
inline constexpr EntryId kNoEntry = (1u << 24) - 1;
inline constexpr uint32_t kEntriesMax = kNoEntry;  // per shard: 64 GiB of 4 KiB slots
inline constexpr uint64_t kPinsMax = (1u << 16) - 1;
inline constexpr uint64_t kChildrenMax = (1u << 16) - 1;

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
  uint64_t parent : 24;  // in the same run, or kNoEntry
  uint64_t position : 24;
  uint64_t children : 16;  // resident blocks that name this one as their parent
  uint64_t length_bytes : 27;
  uint64_t scope : 16;
  uint64_t state : 2;
  uint64_t listed : 1;    // in the policy's list
  uint64_t touched : 16;  // coarse time of the last touch; wraps
  uint64_t unused : 2;
};
static_assert(sizeof(Entry) == 56);
static_assert(kBlockBytesMax < (1u << 27) && kChainPositionMax < (1u << 24));

}  // namespace cairn

#endif  // CAIRN_CACHE_ENTRY_H_
