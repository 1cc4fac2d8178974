// The shard's machinery. One thread; one subject per file: shard.cc (lookup, pins, inventory),
// shard_put.cc, shard_evict.cc, shard_flash.cc, shard_warm.cc, shard_check.cc.
#ifndef CAIRN_CACHE_SHARD_IMPL_H_
#define CAIRN_CACHE_SHARD_IMPL_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include "cache/dram/slab_pool.h"
#include "cache/key_table.h"
#include "cache/shard.h"
#include "cache/shard_counters.h"

namespace cairn {

inline constexpr size_t kChangesMax = 1u << 16;  // unread inventory changes; then a snapshot is due
inline constexpr size_t kScopesMax = 65535;
inline constexpr size_t kRunBlocksMax = 32;

struct ShardMemory {
  Arena arena;
  SparseArray<Entry> entries;
  std::optional<SparseArray<FlashLink>> links;  // with NVMe
  KeyTable table;
  std::unique_ptr<Policy> policy;
  uint64_t slab_bytes;
};

class ShardImpl final : public Shard {
 public:
  ShardImpl(const ShardOptions& options, ShardMemory memory, Clock& clock);

  absl::StatusOr<ScopeId> InternScope(TenantId tenant, const NamespaceId& ns) override;
  void LookupBatch(ScopeId scope, absl::Span<const BlockKey> keys,
                   absl::Span<BlockRef> out) const override;
  BlockRef Pin(ScopeId scope, const BlockKey& key) override;
  void PinAgain(BlockRef block) override;
  void Unpin(BlockRef block) override;
  BlockInfo Info(BlockRef block) const override;
  bool InDram(BlockRef block) const override { return HasBytes(Id(block)); }
  size_t TakeChanges(absl::Span<InventoryChange> out, bool* lost) override;
  size_t Snapshot(uint64_t* cursor, absl::Span<InventoryChange> out) const override;

  Reserved Reserve(const PutIdentity& identity) override;
  SealOutcome Seal(BlockRef reserved) override;
  void Abort(BlockRef reserved) override;

  void Quarantine(BlockRef block) override;
  void EvictAll() override;

  void SetVictimSink(VictimSink* sink) override { sink_ = sink; }
  FlashPlace PlaceOf(BlockRef block) const override;
  FlashBlock Describe(BlockRef block) const override;
  std::optional<absl::Span<std::byte>> BeginLoad(BlockRef block) override;
  bool Loading(BlockRef block) const override { return Link(Id(block)).loading == 1; }
  void EndLoad(BlockRef block, bool good) override;
  bool Adopt(ScopeId scope, const FlashBlock& block, FlashPlace place) override;
  BlockRef FindAt(TenantId tenant, const NamespaceId& ns, const BlockKey& key,
                  FlashPlace place) const override;
  void MoveCopy(BlockRef block, FlashPlace place) override;
  void DropCopy(BlockRef block) override;
  void DropSegment(uint32_t log, uint32_t segment) override;
  bool UsedSinceWritten(BlockRef block) const override { return Link(Id(block)).used == 1; }
  uint64_t entries_free() const override { return entries_.size() - entries_used_; }

  absl::StatusOr<WarmShard> HandOver(WarmHeader identity) const override;
  bool Verify(BlockRef block) override;
  // Once, right after construction.
  absl::Status AdoptWarm(const std::string& image);

  absl::Span<std::byte> arena() const override { return arena_.bytes(); }
  const ShardCounters& counters() const override { return counters_; }
  const ReuseFigures& reuse() const override { return policy_->reuse(); }
  void CheckInvariants() const override;

 private:
  struct Scope {
    TenantId tenant;
    NamespaceId ns;
  };
  struct ScopeHash {
    size_t operator()(const std::pair<TenantId, NamespaceId>& scope) const {
      return absl::HashOf(scope.first, scope.second);
    }
  };

  static EntryId Id(BlockRef block) { return static_cast<EntryId>(block); }
  static BlockRef Ref(EntryId id) {
    return id == kNoEntry ? BlockRef::kNone : static_cast<BlockRef>(id);
  }
  bool IsIn(EntryId id, EntryState state) const {
    return entries_[id].state == static_cast<uint64_t>(state);
  }
  bool has_flash() const { return links_.has_value(); }
  FlashLink& Link(EntryId id) { return (*links_)[id]; }
  const FlashLink& Link(EntryId id) const { return (*links_)[id]; }
  bool OnFlash(EntryId id) const { return has_flash() && Link(id).on_flash == 1; }
  // Its slot holds its bytes.
  bool HasBytes(EntryId id) const {
    return entries_[id].slot != kNoSlot && !(has_flash() && Link(id).loading == 1);
  }
  ScopeId ScopeOf(EntryId id) const { return static_cast<ScopeId>(entries_[id].scope); }
  PolicyGroup GroupOf(EntryId id) const {
    return static_cast<PolicyGroup>(pool_.ClassOfSlot(static_cast<SlotId>(entries_[id].slot)));
  }
  int64_t NowMs() { return clock_.Now().ns / 1'000'000; }
  EntryId Find(ScopeId scope, const BlockKey& key) const {
    return table_.Find(static_cast<uint16_t>(scope), key, entries_);
  }
  absl::Span<std::byte> SlotBytes(EntryId id) const;
  void Use(EntryId id, bool anew);
  void AddPin(EntryId id);
  bool Evictable(EntryId id) const;
  void OfferIfEvictable(EntryId id);
  // What tells a coordinator where a sealed block is.
  uint16_t TierChange(EntryId id) const {
    return HasBytes(id) ? kInventoryAdded : kInventoryOnDrive;
  }
  InventoryChange MakeChange(const Entry& entry, uint16_t change) const;
  void Report(const Entry& entry, uint16_t change);

  // shard_put.cc
  EntryId TakeEntry();
  void GiveEntry(EntryId id);
  bool FindParent(ScopeId scope, const BlockKey& parent_key, uint32_t run_offset,
                  EntryId* parent) const;
  void EndReservation(EntryId id);
  void Show(EntryId id, EntryId parent);
  void EnterDram(EntryId id, EntryId predecessor);
  SlotId AllocateOrEvict(uint32_t length_bytes);

  // shard_evict.cc
  void Forget(EntryId id);
  void FreeSlot(EntryId id);
  void LeaveDram(EntryId id);
  void Evict(EntryId id);
  void EvictFromPolicy(EntryId id);
  void DropFromPolicy(EntryId id);
  void Unlink(EntryId id);
  void DetachFromParent(EntryId id);
  bool EmptySlab(uint32_t slab);
  void ReleaseParent(EntryId child);
  bool Descends(EntryId id, EntryId ancestor) const;
  template <typename Visit>
  void ForEachSealed(Visit visit) const {
    for (EntryId id = 0; id < entries_fresh_; ++id) {
      if (IsIn(id, EntryState::kSealed)) visit(id);
    }
  }

  // shard_share.cc
  uint32_t SlabOf(EntryId id) const;  // of one that has bytes
  int64_t WalkMs() const;             // about what a walk over all entries takes
  float Warmth(EntryId id, int64_t now_ms) const;
  // Of what is next to go in the other classes, one each; kNoEntry if none may.
  EntryId ColdestOfOthers(SizeClass size_class, absl::FunctionRef<bool(EntryId)> may_go);
  void MarkHeldSlabs();
  uint32_t SlabToFree(SizeClass size_class);  // slab_count() if all are held
  // Takes a slab from another class, for one without any evictable block of its own.
  bool FreeOneSlab(SizeClass size_class);
  // For a class that is about to evict: true if a slab of another one has become free instead.
  bool TakeColdSlab(SizeClass size_class);

  // shard_warm.cc
  bool AdoptRecord(const WarmRecord& record);

  // shard_ahead.cc
  uint32_t SlotsAhead(SizeClass size_class) const;
  void EvictAhead(SizeClass size_class);
  bool Admitted(EntryId victim);
  bool DemoteSome(EntryId victim, uint32_t copies_max);
  bool DemoteRun(EntryId victim);

  // shard_flash.cc
  bool Demote(EntryId id);
  void SetPlace(EntryId id, FlashPlace place);
  void ClearPlace(EntryId id);

  const uint16_t reactor_;
  Clock& clock_;
  const Arena arena_;
  SparseArray<Entry> entries_;
  std::optional<SparseArray<FlashLink>> links_;
  KeyTable table_;
  SlabPool pool_;
  VictimSink* sink_ = nullptr;
  EntryId free_entries_ = kNoEntry;  // a list through `next`
  EntryId entries_fresh_ = 0;        // from here on never used
  uint64_t entries_used_ = 0;
  const std::unique_ptr<Policy> policy_;
  std::vector<Scope> scopes_;
  absl::flat_hash_map<std::pair<TenantId, NamespaceId>, ScopeId, ScopeHash> scope_ids_;
  const std::unique_ptr<InventoryChange[]> changes_;
  uint64_t changes_written_ = 0;
  uint64_t changes_read_ = 0;
  bool changes_lost_ = false;
  std::vector<EntryId> leaving_;  // of one call
  std::vector<bool> held_slabs_;  // of one call
  int64_t next_look_ms_ = 0;      // for a class that another one could give a slab
  int64_t next_search_ms_ = 0;    // for a slab, after a search that found none
  EntryId asked_ = kNoEntry;      // the last victim that the sink was asked about
  bool admitted_ = false;         // its answer
  // Parents' keys of reserved blocks, for Seal looks the parent up again, and how many reservations
  // each key has. Bounded by the callers' puts in flight.
  absl::flat_hash_map<EntryId, BlockKey> reserved_parents_;
  absl::flat_hash_map<std::pair<ScopeId, BlockKey>, uint32_t> reserved_keys_;
  ShardCounters counters_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_SHARD_IMPL_H_
