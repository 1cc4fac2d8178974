#include "cache/shard.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cache/dram/slab_pool.h"
#include "cache/key_table.h"
#include "cache/shard_counters.h"

namespace cairn {
namespace {

constexpr uint64_t kCapacityBytesMin = 16u << 20;
constexpr uint64_t kSlabsWanted = 16;  // at least, so that size classes can share a small shard
constexpr uint64_t kSlabGranularityBytes = 2u << 20;
constexpr size_t kChangesMax = 1u << 16;  // unread inventory changes; beyond it a snapshot is due
constexpr size_t kScopesMax = 65535;
constexpr int64_t kTouchUnit_ns = 250'000'000;  // of Entry::touched: wraps after 4.5 hours

EntryId Id(BlockRef block) { return static_cast<EntryId>(block); }
BlockRef Ref(EntryId id) { return id == kNoEntry ? BlockRef::kNone : static_cast<BlockRef>(id); }

struct Scope {
  TenantId tenant;
  NamespaceId ns;
};

struct ScopeHash {
  size_t operator()(const std::pair<TenantId, NamespaceId>& scope) const {
    return absl::HashOf(scope.first, scope.second);
  }
};

uint64_t SlabBytesFor(uint64_t capacity_bytes) {
  const uint64_t wanted = capacity_bytes / kSlabsWanted / kSlabGranularityBytes;
  return std::clamp(wanted * kSlabGranularityBytes, kSlabGranularityBytes, kSlabBytesMax);
}

class ShardImpl final : public Shard {
 public:
  ShardImpl(const ShardOptions& options, Arena arena, SparseArray<Entry> entries, KeyTable table,
            uint64_t slab_bytes, Clock& clock)
      : reactor_(options.reactor),
        clock_(clock),
        arena_(std::move(arena)),
        entries_(std::move(entries)),
        table_(std::move(table)),
        pool_(arena_.bytes().size(), slab_bytes, entries_),
        changes_(std::make_unique<InventoryChange[]>(kChangesMax)) {
    counters_.capacity_bytes.Set(arena_.bytes().size());
    policies_.reserve(kSizeClassesMax);
    policy_kind_ = options.policy;
  }

  absl::StatusOr<ScopeId> InternScope(TenantId tenant, const NamespaceId& ns) override {
    const auto known = scope_ids_.find({tenant, ns});
    if (known != scope_ids_.end()) return known->second;
    if (scopes_.size() == kScopesMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this shard knows ", kScopesMax,
                       " namespaces; restart the node to forget those out of use"));
    }
    const auto id = static_cast<ScopeId>(scopes_.size());
    scopes_.push_back({tenant, ns});
    scope_ids_[{tenant, ns}] = id;
    return id;
  }

  void LookupBatch(ScopeId scope, absl::Span<const BlockKey> keys,
                   absl::Span<BlockRef> out) const override {
    CAIRN_CHECK(out.size() >= keys.size());
    static_assert(sizeof(BlockRef) == sizeof(EntryId));
    EntryId ids[kLookupChunk];
    while (!keys.empty()) {
      const size_t count = std::min(keys.size(), kLookupChunk);
      table_.FindBatch(static_cast<uint16_t>(scope), keys.first(count), entries_,
                       absl::MakeSpan(ids, count));
      for (size_t i = 0; i < count; ++i) out[i] = Ref(ids[i]);
      keys.remove_prefix(count);
      out.remove_prefix(count);
    }
  }

  BlockRef Pin(ScopeId scope, const BlockKey& key) override {
    const EntryId id = Find(scope, key);
    if (id == kNoEntry || entries_[id].pins == kPinsMax) {
      counters_.misses.Add(1);
      return BlockRef::kNone;
    }
    counters_.hits.Add(1);
    Touch(entries_[id]);
    AddPin(id);
    return Ref(id);
  }

  void PinAgain(BlockRef block) override {
    CAIRN_CHECK(entries_[Id(block)].pins > 0 && entries_[Id(block)].pins < kPinsMax);
    AddPin(Id(block));
  }

  void Unpin(BlockRef block) override {
    const EntryId id = Id(block);
    Entry& entry = entries_[id];
    CAIRN_CHECK(entry.pins > 0);
    --entry.pins;
    counters_.pins.Subtract(1);
    if (entry.pins > 0) return;
    if (entry.state == static_cast<uint64_t>(EntryState::kUnlinked)) {
      FreeSlot(id);
    } else {
      OfferIfEvictable(id);
    }
  }

  BlockInfo Info(BlockRef block) const override {
    const Entry& entry = entries_[Id(block)];
    CAIRN_CHECK(entry.state != static_cast<uint64_t>(EntryState::kFree));
    return {pool_.OffsetOf(Id(block)), static_cast<uint32_t>(entry.length_bytes),
            static_cast<uint32_t>(entry.position), entry.checksum};
  }

  Reserved Reserve(const PutIdentity& identity) override;
  SealOutcome Seal(BlockRef reserved) override;

  void Abort(BlockRef reserved) override {
    CAIRN_CHECK(entries_[Id(reserved)].state == static_cast<uint64_t>(EntryState::kReserved));
    EndReservation(Id(reserved));
    FreeSlot(Id(reserved));
  }

  void Quarantine(BlockRef block) override {
    const EntryId root = Id(block);
    if (entries_[root].state != static_cast<uint64_t>(EntryState::kSealed)) return;
    counters_.quarantined_total.Add(1);
    // Rare, so a walk over all entries is better than a field for it in each.
    ForEachSealed([this, root](EntryId id) {
      if (id != root && Descends(id, root)) doomed_.push_back(id);
    });
    std::sort(doomed_.begin(), doomed_.end(),
              [this](EntryId a, EntryId b) { return entries_[a].position > entries_[b].position; });
    for (const EntryId id : std::exchange(doomed_, {})) Unlink(id);
    Unlink(root);
  }

  void EvictAll() override {
    for (const std::unique_ptr<Policy>& policy : policies_) {
      while (policy->Victim() != kNoEntry) Evict(policy->Victim());
    }
  }

  size_t TakeChanges(absl::Span<InventoryChange> out, bool* lost) override {
    *lost = std::exchange(changes_lost_, false);
    if (*lost) changes_read_ = changes_written_;
    size_t count = 0;
    while (count < out.size() && changes_read_ != changes_written_) {
      out[count++] = changes_[changes_read_++ % kChangesMax];
    }
    return count;
  }

  size_t Snapshot(uint64_t* cursor, absl::Span<InventoryChange> out) const override {
    size_t count = 0;
    uint64_t& id = *cursor;
    const uint64_t slots = entries_.size() / pool_.slab_count();
    while (count < out.size() && id < entries_.size()) {
      const auto slab = static_cast<uint32_t>(id / slots);
      if (slab >= pool_.slab_count()) break;
      const bool used = pool_.slab_class(slab) != kNoSizeClass;
      if (!used || id % slots >= pool_.SlotCount(slab)) {
        id = (slab + 1) * slots;
        continue;
      }
      const Entry& entry = entries_[id++];
      if (entry.state == static_cast<uint64_t>(EntryState::kSealed)) {
        out[count++] = MakeChange(entry, kInventoryAdded);
      }
    }
    return count;
  }

  absl::Span<std::byte> arena() const override { return arena_.bytes(); }
  const ShardCounters& counters() const override { return counters_; }
  void CheckInvariants() const override;

 private:
  static constexpr size_t kLookupChunk = 64;

  EntryId Find(ScopeId scope, const BlockKey& key) const {
    return table_.Find(static_cast<uint16_t>(scope), key, entries_);
  }

  void Touch(Entry& entry) {
    entry.touched = static_cast<uint16_t>(clock_.Now().ns / kTouchUnit_ns);
  }

  ScopeId ScopeOf(EntryId id) const { return static_cast<ScopeId>(entries_[id].scope); }

  Policy& PolicyOf(EntryId id) { return *policies_[pool_.ClassOfEntry(id)]; }

  void AddPin(EntryId id) {
    Entry& entry = entries_[id];
#ifndef CAIRN_SABOTAGE_PIN
    if (entry.listed) PolicyOf(id).Withdraw(id);
#endif
    ++entry.pins;
    counters_.pins.Add(1);
  }

  // After an unpin, a seal or the loss of a child.
  void OfferIfEvictable(EntryId id) {
    const Entry& entry = entries_[id];
    const bool evictable = entry.state == static_cast<uint64_t>(EntryState::kSealed) &&
                           entry.pins == 0 && entry.children == 0 && !entry.listed;
    if (evictable) PolicyOf(id).OfferRecent(id);
  }

  InventoryChange MakeChange(const Entry& entry, uint16_t change) const {
    return {entry.key, scopes_[entry.scope].tenant, reactor_, change};
  }

  void Report(const Entry& entry, uint16_t change) {
    if (changes_written_ - changes_read_ == kChangesMax) {
      changes_lost_ = true;
      return;
    }
    changes_[changes_written_++ % kChangesMax] = MakeChange(entry, change);
  }

  void FreeSlot(EntryId id) {
    Entry& entry = entries_[id];
    counters_.used_bytes.Subtract(entry.length_bytes);
    entry.state = static_cast<uint64_t>(EntryState::kFree);
    pool_.Free(id);
  }

  // Invisible from here on; the slot is freed at once or with the last pin.
  void Unlink(EntryId id) {
    Entry& entry = entries_[id];
    CAIRN_CHECK(entry.state == static_cast<uint64_t>(EntryState::kSealed) && entry.children == 0);
    // Unlink before free: a pin taken between the two would read a slot that its next writer fills.
    table_.Erase(entry.key, id, entries_);
    if (entry.listed) PolicyOf(id).Withdraw(id);
    counters_.blocks.Subtract(1);
    Report(entry, kInventoryRemoved);
    ReleaseParent(entry);
    entry.state = static_cast<uint64_t>(EntryState::kUnlinked);
#ifdef CAIRN_SABOTAGE_PIN
    const bool pinned = false;
#else
    const bool pinned = entry.pins > 0;
#endif
    if (!pinned) FreeSlot(id);
  }

  void ReleaseParent(const Entry& child) {
    if (child.parent == kNoEntry) return;
    const auto id = static_cast<EntryId>(child.parent);
    Entry& parent = entries_[id];
    CAIRN_CHECK(parent.children > 0);
    --parent.children;
    if (parent.children > 0 || parent.pins > 0 || parent.listed) return;
    if (parent.state != static_cast<uint64_t>(EntryState::kSealed)) return;
    if (parent.touched == child.touched) {
      PolicyOf(id).OfferOldest(id);
    } else {
      PolicyOf(id).OfferRecent(id);
    }
  }

  void Evict(EntryId id) {
    counters_.evicted_blocks_total.Add(1);
    counters_.evicted_bytes_total.Add(entries_[id].length_bytes);
    Unlink(id);
  }

  template <typename Visit>
  void ForEachSealed(Visit visit) const {
    for (uint32_t slab = 0; slab < pool_.slab_count(); ++slab) {
      if (pool_.slab_class(slab) == kNoSizeClass) continue;
      const EntryId first = pool_.FirstEntry(slab);
      for (EntryId id = first; id < first + pool_.SlotCount(slab); ++id) {
        if (static_cast<EntryState>(entries_[id].state) == EntryState::kSealed) visit(id);
      }
    }
  }

  bool Descends(EntryId id, EntryId ancestor) const {
    while (entries_[id].parent != kNoEntry) {
      id = static_cast<EntryId>(entries_[id].parent);
      if (id == ancestor) return true;
    }
    return false;
  }

  // The resident parent that a block of this identity must have; kNoEntry at the start of a run.
  bool FindParent(ScopeId scope, const BlockKey& parent_key, uint32_t position,
                  EntryId* parent) const {
    *parent = kNoEntry;
    if (RunStart(position) == position) return true;
    const EntryId id = Find(scope, parent_key);
    if (id == kNoEntry || static_cast<uint32_t>(entries_[id].position) + 1 != position ||
        entries_[id].children == kChildrenMax) {
      return false;
    }
    *parent = id;
    return true;
  }

  void EndReservation(EntryId id) {
    counters_.reservations.Subtract(1);
    reserved_parents_.erase(id);
    const auto key = reserved_keys_.find({ScopeOf(id), entries_[id].key});
    if (--key->second == 0) reserved_keys_.erase(key);
  }

  EntryId AllocateOrEvict(uint32_t length_bytes);
  bool FreeOneSlab(SizeClass for_class);
  bool EmptySlab(uint32_t slab);

  const uint16_t reactor_;
  Clock& clock_;
  const Arena arena_;
  SparseArray<Entry> entries_;
  KeyTable table_;
  SlabPool pool_;
  PolicyKind policy_kind_;
  std::vector<std::unique_ptr<Policy>> policies_;  // by size class
  std::vector<Scope> scopes_;
  absl::flat_hash_map<std::pair<TenantId, NamespaceId>, ScopeId, ScopeHash> scope_ids_;
  const std::unique_ptr<InventoryChange[]> changes_;
  uint64_t changes_written_ = 0;
  uint64_t changes_read_ = 0;
  bool changes_lost_ = false;
  std::vector<EntryId> doomed_;
  // Parents' keys of reserved blocks, for Seal looks the parent up again, and how many reservations
  // each key has. Bounded by the callers' puts in flight.
  absl::flat_hash_map<EntryId, BlockKey> reserved_parents_;
  absl::flat_hash_map<std::pair<ScopeId, BlockKey>, uint32_t> reserved_keys_;
  ShardCounters counters_;
};

EntryId ShardImpl::AllocateOrEvict(uint32_t length_bytes) {
  const SizeClass size_class = pool_.ClassOf(length_bytes);
  if (size_class == kNoSizeClass) return kNoEntry;
  while (policies_.size() < pool_.class_count()) {
    policies_.push_back(MakePolicy(policy_kind_, entries_));
  }
  EntryId id = pool_.Allocate(size_class);
  if (id != kNoEntry) return id;
  const EntryId victim = policies_[size_class]->Victim();
  if (victim != kNoEntry) {
    Evict(victim);
  } else if (!FreeOneSlab(size_class)) {
    return kNoEntry;
  }
  return pool_.Allocate(size_class);
}

// Takes a slab from another class. Rare: only a class without any evictable block of its own asks.
bool ShardImpl::FreeOneSlab(SizeClass for_class) {
  for (uint32_t slab = 0; slab < pool_.slab_count(); ++slab) {
    if (pool_.slab_class(slab) != for_class && EmptySlab(slab)) return true;
  }
  return false;
}

// Evicts all blocks of the slab with their descendants, unless one of them is pinned or reserved.
bool ShardImpl::EmptySlab(uint32_t slab) {
  const EntryId first = pool_.FirstEntry(slab);
  const EntryId last = first + pool_.SlotCount(slab);
  for (EntryId id = first; id < last; ++id) {
    const auto state = static_cast<EntryState>(entries_[id].state);
    if (state == EntryState::kReserved || state == EntryState::kUnlinked || entries_[id].pins > 0) {
      return false;
    }
  }
  std::vector<EntryId> leaving;
  bool pinned = false;
  ForEachSealed([&](EntryId id) {
    for (EntryId at = id; at != kNoEntry; at = static_cast<EntryId>(entries_[at].parent)) {
      if (at < first || at >= last) continue;
      leaving.push_back(id);
      pinned = pinned || entries_[id].pins > 0;
      return;
    }
  });
  if (pinned) return false;
  std::sort(leaving.begin(), leaving.end(),
            [this](EntryId a, EntryId b) { return entries_[a].position > entries_[b].position; });
  for (const EntryId id : leaving) Evict(id);
  return true;
}

Reserved ShardImpl::Reserve(const PutIdentity& identity) {
  CAIRN_CHECK(identity.length_bytes >= 1 && identity.length_bytes <= kBlockBytesMax);
  CAIRN_CHECK(identity.position <= kChainPositionMax);
  const EntryId present = Find(identity.scope, identity.key);
  if (present != kNoEntry) {
    const Entry& entry = entries_[present];
    const bool same =
        entry.checksum == identity.checksum && entry.length_bytes == identity.length_bytes;
    if (!same) counters_.conflicts_total.Add(1);
    return {same ? ReserveOutcome::kPresent : ReserveOutcome::kConflict};
  }
  EntryId parent;
  if (!FindParent(identity.scope, identity.parent, identity.position, &parent) &&
      !reserved_keys_.contains({identity.scope, identity.parent})) {
    return {ReserveOutcome::kParentAbsent};
  }
  // The parent must not be the victim of its own child.
  if (parent != kNoEntry && entries_[parent].pins < kPinsMax) AddPin(parent);
  const EntryId id = AllocateOrEvict(identity.length_bytes);
  if (parent != kNoEntry) Unpin(Ref(parent));
  if (id == kNoEntry) {
    counters_.no_capacity_total.Add(1);
    return {ReserveOutcome::kNoCapacity};
  }
  Entry& entry = entries_[id];
  entry = Entry{};
  entry.key = identity.key;
  entry.checksum = identity.checksum;
  entry.parent = kNoEntry;
  entry.position = identity.position;
  entry.length_bytes = identity.length_bytes;
  entry.scope = static_cast<uint16_t>(identity.scope);
  entry.state = static_cast<uint64_t>(EntryState::kReserved);
  if (RunStart(identity.position) != identity.position) reserved_parents_[id] = identity.parent;
  ++reserved_keys_[{identity.scope, identity.key}];
  counters_.used_bytes.Add(identity.length_bytes);
  counters_.reservations.Add(1);
  return {ReserveOutcome::kReserved, Ref(id)};
}

SealOutcome ShardImpl::Seal(BlockRef reserved) {
  const EntryId id = Id(reserved);
  Entry& entry = entries_[id];
  CAIRN_CHECK(entry.state == static_cast<uint64_t>(EntryState::kReserved));
  const EntryId present = Find(ScopeOf(id), entry.key);
  if (present != kNoEntry) {
    const Entry& other = entries_[present];
    const bool same = other.checksum == entry.checksum && other.length_bytes == entry.length_bytes;
    if (!same) counters_.conflicts_total.Add(1);
    EndReservation(id);
    FreeSlot(id);
    return same ? SealOutcome::kPresent : SealOutcome::kConflict;
  }
  EntryId parent = kNoEntry;
  const auto stored = reserved_parents_.find(id);
  const BlockKey parent_key = stored != reserved_parents_.end() ? stored->second : BlockKey{};
  const bool found =
      FindParent(ScopeOf(id), parent_key, static_cast<uint32_t>(entry.position), &parent);
  if (!found && reserved_keys_.contains({ScopeOf(id), parent_key}))
    return SealOutcome::kParentPending;
  EndReservation(id);
  if (!found) {
    FreeSlot(id);
    return SealOutcome::kParentAbsent;
  }
  entry.parent = parent;
  entry.state = static_cast<uint64_t>(EntryState::kSealed);
  Touch(entry);
  if (parent != kNoEntry) {
    Entry& head = entries_[parent];
    ++head.children;
    if (head.listed) PolicyOf(parent).Withdraw(parent);
  }
  table_.Insert(entry.key, id);
  counters_.blocks.Add(1);
  counters_.sealed_total.Add(1);
  Report(entry, kInventoryAdded);
  OfferIfEvictable(id);
  return SealOutcome::kSealed;
}

void ShardImpl::CheckInvariants() const {
  uint64_t blocks = 0;
  uint64_t pins = 0;
  uint64_t used_bytes = 0;
  uint64_t reservations = 0;
  absl::flat_hash_map<EntryId, uint64_t> children;
  for (uint32_t slab = 0; slab < pool_.slab_count(); ++slab) {
    if (pool_.slab_class(slab) == kNoSizeClass) continue;
    const EntryId first = pool_.FirstEntry(slab);
    for (EntryId id = first; id < first + pool_.SlotCount(slab); ++id) {
      const Entry& entry = entries_[id];
      const auto state = static_cast<EntryState>(entry.state);
      if (state == EntryState::kFree) continue;
      used_bytes += entry.length_bytes;
      pins += entry.pins;
      reservations += state == EntryState::kReserved ? 1 : 0;
      if (state == EntryState::kUnlinked) CAIRN_CHECK(entry.pins > 0 && !entry.listed);
      if (state != EntryState::kSealed) continue;
      ++blocks;
      CAIRN_CHECK(Find(ScopeOf(id), entry.key) == id);
      const bool evictable = entry.pins == 0 && entry.children == 0;
      CAIRN_CHECK((entry.listed == 1) == evictable);
      const auto position = static_cast<uint32_t>(entry.position);
      CAIRN_CHECK((entry.parent == kNoEntry) == (RunStart(position) == position));
      if (entry.parent == kNoEntry) continue;
      const Entry& parent = entries_[entry.parent];
      CAIRN_CHECK(parent.state == static_cast<uint64_t>(EntryState::kSealed));
      CAIRN_CHECK(parent.position + 1 == entry.position && parent.scope == entry.scope);
      ++children[static_cast<EntryId>(entry.parent)];
    }
  }
  ForEachSealed([&](EntryId id) {
    const auto found = children.find(id);
    CAIRN_CHECK(entries_[id].children == (found == children.end() ? 0 : found->second));
  });
  CAIRN_CHECK(blocks == counters_.blocks.value() && pins == counters_.pins.value());
  CAIRN_CHECK(used_bytes == counters_.used_bytes.value());
  CAIRN_CHECK(reservations == counters_.reservations.value());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Shard>> Shard::Create(const ShardOptions& options, Clock& clock) {
  const uint64_t slab_bytes = SlabBytesFor(options.capacity_bytes);
  const uint64_t slabs = options.capacity_bytes / slab_bytes;
  const uint64_t entries_count = slabs * (slab_bytes / kSlotGranularityBytes);
  if (options.capacity_bytes < kCapacityBytesMin || entries_count > kEntriesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("tier.dram.capacity_bytes: ", options.capacity_bytes, " per reactor must be ",
                     kCapacityBytesMin, " to ", uint64_t{kEntriesMax} * kSlotGranularityBytes,
                     "; use more or fewer reactors"));
  }
  CAIRN_ASSIGN_OR_RETURN(Arena arena, Arena::Create(slabs * slab_bytes, options.huge_pages));
  CAIRN_ASSIGN_OR_RETURN(SparseArray<Entry> entries, SparseArray<Entry>::Create(entries_count));
  CAIRN_ASSIGN_OR_RETURN(KeyTable table, KeyTable::Create(static_cast<uint32_t>(entries_count)));
  return std::make_unique<ShardImpl>(options, std::move(arena), std::move(entries),
                                     std::move(table), slab_bytes, clock);
}

}  // namespace cairn
