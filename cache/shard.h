// One reactor's part of the cache: the DRAM arena, the index over both tiers, and the eviction
// policy.
//
// Owned and called by one thread. Nothing here locks, allocates per block, logs or makes a system
// call after Create(), except that the arena's pages are touched on first use.
//
// The way of a block: Reserve -> bytes land in the slot -> Seal (only now visible) -> Pin / Unpin
// by readers -> leaves DRAM: to NVMe when the sink takes it, else unlinked from the index at once,
// its slot freed when the last pin is gone. Bytes under a key never change while an entry lives.
// A block that is only on NVMe can be pinned too; BeginLoad and EndLoad bring it back.
#ifndef CAIRN_CACHE_SHARD_H_
#define CAIRN_CACHE_SHARD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/clock.h"
#include "cache/disk/log_geometry.h"
#include "cache/dram/arena.h"
#include "cache/policy/policy.h"
#include "proto/identity.h"
#include "proto/inventory.h"
#include "proto/warm_image.h"

namespace cairn {

// A (tenant, namespace) pair, interned per shard. Blocks of another scope are absent to it (P5).
enum class ScopeId : uint16_t { kNone = 0xffff };

// An entry of the index. Valid while pinned (or reserved) by the holder, else only until the next
// call.
enum class BlockRef : uint32_t { kNone = 0xffffffff };

// The memory of a stopped node's shard, as its successor gets it.
struct WarmShard {
  FileDescriptor arena;
  std::string image;  // proto/warm_image.h
};

struct ShardOptions {
  uint64_t capacity_bytes = 0;  // of the arena; at least one slab
  uint16_t reactor = 0;         // written into inventory changes
  bool huge_pages = true;       // when granted; falls back to 4 KiB pages
  PolicyKind policy = PolicyKind::kLearned;
  uint64_t flash_bytes = 0;   // of the NVMe tier behind it; 0: there is none
  WarmShard* warm = nullptr;  // taken; kDataLoss, kInvalidArgument: it does not fit, begin empty
};

struct PutIdentity {
  ScopeId scope = ScopeId::kNone;
  BlockKey key;
  BlockKey parent;            // before it in the chain; zero at position 0
  uint32_t position = 0;      // in the chain, at most kChainPositionMax
  uint32_t length_bytes = 0;  // 1 to kBlockBytesMax
  Checksum checksum;
  ReturnHint hint = ReturnHint::kNone;
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
  uint64_t offset_bytes;  // in the arena; of a block that is in DRAM
  uint32_t length_bytes;
  Checksum checksum;
};

// Where the NVMe tier keeps a copy.
struct FlashPlace {
  uint32_t log = 0;  // below 16
  Place at;
  bool encrypted = false;

  friend bool operator==(const FlashPlace&, const FlashPlace&) = default;
};

// A block as it is written to NVMe, or read back.
struct FlashBlock {
  TenantId tenant = 0;
  NamespaceId ns;
  BlockKey key;
  BlockKey parent;   // in the same run; zero where a run begins
  BlockKey run_key;  // of the block where its run begins
  Checksum checksum;
  uint32_t position = 0;
  uint32_t length_bytes = 0;
  ReturnHint hint = ReturnHint::kNone;
};

// Takes what leaves DRAM, and hears before of what came and what was used.
class VictimSink {
 public:
  virtual ~VictimSink() = default;
  // An engine stores a block, which may be here already.
  virtual void OnStored(const PutIdentity& identity) = 0;
  // A block was found and pinned.
  virtual void OnUsed(const BlockKey& key) = 0;
  // A run is about to lose its last block in DRAM order: shall it go to NVMe? Asked before its
  // blocks are offered.
  virtual bool WantsRun(const FlashBlock& victim) = 0;
  // Copies the bytes before it returns. False: no room now.
  virtual bool Take(const FlashBlock& block, absl::Span<const std::byte> bytes,
                    FlashPlace* place) = 0;
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
  // Of a pinned block: its bytes can be read now. Stays so until the last pin is gone.
  virtual bool InDram(BlockRef block) const = 0;

  // Finds or makes room (evicting unpinned tails) for a block that is to be written.
  virtual Reserved Reserve(const PutIdentity& identity) = 0;
  // Makes the reserved block visible; the caller has verified its checksum over the slot's bytes.
  virtual SealOutcome Seal(BlockRef reserved) = 0;
  virtual void Abort(BlockRef reserved) = 0;

  // The bytes of a pinned block are not what its checksum says: unlinks it and its descendants'
  // reachability (they are evicted with it), frees the slot at zero pins, counts it.
  virtual void Quarantine(BlockRef block) = 0;

  // Removes every unpinned block from DRAM and, without a copy on NVMe, altogether; for tests and
  // purge.
  virtual void EvictAll() = 0;

  // --- the NVMe tier; all of it needs flash_bytes > 0 ---
  // Outlives its last call. nullptr: what leaves DRAM is gone.
  virtual void SetVictimSink(VictimSink* sink) = 0;
  // Of a block with a copy there.
  virtual FlashPlace PlaceOf(BlockRef block) const = 0;
  virtual FlashBlock Describe(BlockRef block) const = 0;
  // Of a pinned block that is neither in DRAM nor being loaded: whole sectors of the arena to read
  // it into, ended by EndLoad. nullopt: nothing can be evicted for it.
  virtual std::optional<absl::Span<std::byte>> BeginLoad(BlockRef block) = 0;
  virtual bool Loading(BlockRef block) const = 0;
  // good: the bytes are there and fit the checksum. Else the slot is free again.
  virtual void EndLoad(BlockRef block, bool good) = 0;
  // A block that the tier found on NVMe at its start. False: its parent is not here, or another
  // block stands under its key in DRAM, or the index is full. A later copy replaces an earlier one.
  virtual bool Adopt(ScopeId scope, const FlashBlock& block, FlashPlace place) = 0;
  // The entry whose copy is at this very place, or kNone. Not pinned: valid until the next call.
  virtual BlockRef FindAt(TenantId tenant, const NamespaceId& ns, const BlockKey& key,
                          FlashPlace place) const = 0;
  // Its copy moved (place), or is gone (DropCopy: with it the block and its descendants, unless it
  // is in DRAM).
  virtual void MoveCopy(BlockRef block, FlashPlace place) = 0;
  virtual void DropCopy(BlockRef block) = 0;
  // The same for all copies in one segment; walks the whole index.
  virtual void DropSegment(uint32_t log, uint32_t segment) = 0;
  // Hit since its copy was written.
  virtual bool UsedSinceWritten(BlockRef block) const = 0;
  // Entries that are left before the index is full.
  virtual uint64_t entries_free() const = 0;

  // Inventory changes since the last call, oldest first: blocks that came, went, or moved between
  // memory and a drive; returns how many were written. When the reader falls behind, *lost becomes
  // true and the reader must take a snapshot.
  virtual size_t TakeChanges(absl::Span<InventoryChange> out, bool* lost) = 0;
  // Sealed blocks from cursor on (0 begins); returns the number written and advances the cursor;
  // 0: the end. Consistent enough for a snapshot that is followed by TakeChanges' deltas.
  virtual size_t Snapshot(uint64_t* cursor, absl::Span<InventoryChange> out) const = 0;

  // What a successor needs to go on with this memory; nothing may be pinned for writing.
  // identity: node, incarnation, reactor and reactors are the caller's.
  virtual absl::StatusOr<WarmShard> HandOver(WarmHeader identity) const = 0;
  // Of a pinned block that was handed over: true once its bytes were compared with its checksum,
  // which the first call does. False: they differ, and the block is quarantined.
  virtual bool Verify(BlockRef block) = 0;

  // The memory to register with the transport; constant address and size.
  virtual absl::Span<std::byte> arena() const = 0;
  virtual const ShardCounters& counters() const = 0;
  // What half and twice the DRAM would have given.
  virtual const ReuseFigures& reuse() const = 0;
  // Test-only view for property tests: CHECKs every invariant; O(n).
  virtual void CheckInvariants() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_SHARD_H_
