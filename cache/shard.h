// One reactor's part of the cache: the DRAM arena, the index over it, and the eviction policy.
//
// Owned and called by one thread. Nothing here locks, allocates per block, logs or makes a system
// call after Create(), except that the arena's pages are touched on first use.
//
// The way of a block: Reserve -> bytes land in the slot -> Seal (only now visible) -> Pin / Unpin
// by readers -> evicted: unlinked from the index at once, its slot freed when the last pin is gone.
// Bytes under a key never change while an entry lives.
#ifndef CAIRN_CACHE_SHARD_H_
#define CAIRN_CACHE_SHARD_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/clock.h"
#include "base/spsc_ring.h"
#include "cache/dram/arena.h"
#include "cache/policy/policy.h"
#include "proto/identity.h"
#include "proto/inventory.h"

namespace cairn {

// A (tenant, namespace) pair, interned per shard. Blocks of another scope are absent to it (P5).
enum class ScopeId : uint16_t { kNone = 0xffff };

// An entry of the index. Valid while pinned (or reserved) by the holder, else only until the next
// call.
enum class BlockRef : uint32_t { kNone = 0xffffffff };

struct ShardOptions {
  uint64_t capacity_bytes = 0;  // of the arena; at least one slab
  uint16_t reactor = 0;         // written into inventory changes
  bool huge_pages = true;       // when granted; falls back to 4 KiB pages
  PolicyKind policy = PolicyKind::kLru;
};

struct PutIdentity {
  ScopeId scope = ScopeId::kNone;
  BlockKey key;
  BlockKey parent;            // ignored at the first position of a run
  uint32_t position = 0;      // in the chain, at most kChainPositionMax
  uint32_t length_bytes = 0;  // 1 to kBlockBytesMax
  Checksum checksum;
};

enum class ReserveOutcome {
  kReserved,      // `block` is a slot to fill; end it with Seal or Abort
  kPresent,       // sealed here already with the same checksum: nothing to do
  kConflict,      // sealed here with another checksum or length: alarm counted
  kNoCapacity,    // everything evictable is pinned, reserved, or too small
  kParentAbsent,  // its parent in the same run is neither here nor being written
};
struct Reserved {
  ReserveOutcome outcome;
  BlockRef block = BlockRef::kNone;
};

enum class SealOutcome {
  kSealed,
  kPresent,        // another writer of the same bytes sealed first; the slot is freed
  kConflict,       // another writer of other bytes sealed first; the slot is freed, alarm counted
  kParentAbsent,   // the parent was evicted meanwhile; the slot is freed
  kParentPending,  // the parent is being written still: nothing changed, seal again after it ended
};

struct BlockInfo {
  uint64_t offset_bytes;  // in the arena
  uint32_t length_bytes;
  uint32_t position;
  Checksum checksum;
};

// Read by other threads: relaxed atomics written by the owner.
struct ShardCounters;  // cache/shard_counters.h

class Shard {
 public:
  // kInvalidArgument names the field. kResourceExhausted: memory; the message names the setting.
  static absl::StatusOr<std::unique_ptr<Shard>> Create(const ShardOptions& options, Clock& clock);
  virtual ~Shard() = default;

  // The same pair gives the same scope. kResourceExhausted: 65,535 scopes are known.
  virtual absl::StatusOr<ScopeId> InternScope(TenantId tenant, const NamespaceId& ns) = 0;

  // out[i] = the sealed block of keys[i] in this scope, or kNone. Does not pin, does not touch the
  // policy. Prefetches over the batch: about 60 ns a key at 1 M entries.
  virtual void LookupBatch(ScopeId scope, absl::Span<const BlockKey> keys,
                           absl::Span<BlockRef> out) const = 0;
  // Lookup and pin in one step; a touch of the policy. kNone: absent or of another scope.
  virtual BlockRef Pin(ScopeId scope, const BlockKey& key) = 0;
  // One more pin of a pinned block.
  virtual void PinAgain(BlockRef block) = 0;
  virtual void Unpin(BlockRef block) = 0;
  // Of a pinned or reserved block.
  virtual BlockInfo Info(BlockRef block) const = 0;

  // Finds or makes room (evicting unpinned tails) for a block that is to be written.
  virtual Reserved Reserve(const PutIdentity& identity) = 0;
  // Makes the reserved block visible; the caller has verified its checksum over the slot's bytes.
  virtual SealOutcome Seal(BlockRef reserved) = 0;
  virtual void Abort(BlockRef reserved) = 0;

  // The bytes of a pinned block are not what its checksum says: unlinks it and its descendants'
  // reachability (they are evicted with it), frees the slot at zero pins, counts it.
  virtual void Quarantine(BlockRef block) = 0;

  // Removes every unpinned block; for tests and purge.
  virtual void EvictAll() = 0;

  // Inventory changes since the last call, oldest first; returns how many were written. When the
  // reader falls behind, *lost becomes true and the reader must take a snapshot.
  virtual size_t TakeChanges(absl::Span<InventoryChange> out, bool* lost) = 0;
  // Sealed blocks from cursor on (0 begins); returns the number written and advances the cursor;
  // 0: the end. Consistent enough for a snapshot that is followed by TakeChanges' deltas.
  virtual size_t Snapshot(uint64_t* cursor, absl::Span<InventoryChange> out) const = 0;

  // The memory to register with the transport; constant address and size.
  virtual absl::Span<std::byte> arena() const = 0;
  virtual const ShardCounters& counters() const = 0;
  // Test-only view for property tests: CHECKs every invariant; O(n).
  virtual void CheckInvariants() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_SHARD_H_
