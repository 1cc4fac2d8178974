#include "cache/shard.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cache/shard_impl.h"

namespace cairn {
namespace {

constexpr uint64_t kCapacityBytesMin = 16u << 20;
constexpr uint64_t kSlabsWanted = 16;  // at least, so that size classes can share a small shard
constexpr uint64_t kSlabGranularityBytes = 2u << 20;
constexpr size_t kLookupChunk = 64;
// The index has room for so many blocks on NVMe: smaller ones leave some of it unused.
constexpr uint64_t kFlashBlockBytesExpected = 16384;

uint64_t SlabBytesFor(uint64_t capacity_bytes) {
  const uint64_t wanted = capacity_bytes / kSlabsWanted / kSlabGranularityBytes;
  return std::clamp(wanted * kSlabGranularityBytes, kSlabGranularityBytes, kSlabBytesMax);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Shard>> Shard::Create(const ShardOptions& options, Clock& clock) {
  const uint64_t slab_bytes = SlabBytesFor(options.capacity_bytes);
  const uint64_t slabs = options.capacity_bytes / slab_bytes;
  const uint64_t slots = slabs * (slab_bytes / kSlotGranularityBytes);
  if (options.capacity_bytes < kCapacityBytesMin || slots > kSlotsMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "dram_bytes: ", options.capacity_bytes, " per reactor must be ", kCapacityBytesMin, " to ",
        uint64_t{kSlotsMax} * kSlotGranularityBytes, "; use more or fewer reactors"));
  }
  const uint64_t entries_count =
      std::min<uint64_t>(kEntriesMax, slots + options.flash_bytes / kFlashBlockBytesExpected);
  CAIRN_ASSIGN_OR_RETURN(Arena arena,
                         options.warm == nullptr
                             ? Arena::Create(slabs * slab_bytes, options.huge_pages)
                             : Arena::Adopt(std::move(options.warm->arena), slabs * slab_bytes));
  CAIRN_ASSIGN_OR_RETURN(SparseArray<Entry> entries, SparseArray<Entry>::Create(entries_count));
  CAIRN_ASSIGN_OR_RETURN(KeyTable table, KeyTable::Create(static_cast<uint32_t>(entries_count)));
  std::optional<SparseArray<FlashLink>> links;
  if (options.flash_bytes > 0) {
    CAIRN_ASSIGN_OR_RETURN(SparseArray<FlashLink> made,
                           SparseArray<FlashLink>::Create(entries_count));
    links.emplace(std::move(made));
  }
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Policy> policy,
                         MakePolicy(options.policy, entries.span()));
  auto shard = std::make_unique<ShardImpl>(
      options,
      ShardMemory{std::move(arena), std::move(entries), std::move(links), std::move(table),
                  std::move(policy), slab_bytes},
      clock);
  if (options.warm != nullptr) CAIRN_RETURN_IF_ERROR(shard->AdoptWarm(options.warm->image));
  return shard;
}

ShardImpl::ShardImpl(const ShardOptions& options, ShardMemory memory, Clock& clock)
    : reactor_(options.reactor),
      clock_(clock),
      arena_(std::move(memory.arena)),
      entries_(std::move(memory.entries)),
      links_(std::move(memory.links)),
      table_(std::move(memory.table)),
      pool_(arena_.bytes().size(), memory.slab_bytes),
      policy_(std::move(memory.policy)),
      changes_(std::make_unique<InventoryChange[]>(kChangesMax)) {
  counters_.capacity_bytes.Set(arena_.bytes().size());
}

absl::StatusOr<ScopeId> ShardImpl::InternScope(TenantId tenant, const NamespaceId& ns) {
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

void ShardImpl::LookupBatch(ScopeId scope, absl::Span<const BlockKey> keys,
                            absl::Span<BlockRef> out) const {
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

BlockRef ShardImpl::Pin(ScopeId scope, const BlockKey& key) {
  const EntryId id = Find(scope, key);
  if (id == kNoEntry || entries_[id].pins == kPinsMax) {
    counters_.misses.Add(1);
    return BlockRef::kNone;
  }
  counters_.hits.Add(1);
  if (!HasBytes(id)) counters_.flash_hits.Add(1);
  if (OnFlash(id)) Link(id).used = 1;
  const bool anew = entries_[id].pins == 0;
  if (sink_ != nullptr) sink_->OnUsed(key);
  AddPin(id);
  Use(id, anew);
  return Ref(id);
}

void ShardImpl::PinAgain(BlockRef block) {
  CAIRN_CHECK(entries_[Id(block)].pins > 0 && entries_[Id(block)].pins < kPinsMax);
  AddPin(Id(block));
}

void ShardImpl::Unpin(BlockRef block) {
  const EntryId id = Id(block);
  Entry& entry = entries_[id];
  CAIRN_CHECK(entry.pins > 0);
  --entry.pins;
  counters_.pins.Subtract(1);
  if (entry.pins > 0) return;
  if (IsIn(id, EntryState::kUnlinked)) {
    Forget(id);
  } else {
    OfferIfEvictable(id);
  }
}

BlockInfo ShardImpl::Info(BlockRef block) const {
  const Entry& entry = entries_[Id(block)];
  CAIRN_CHECK(!IsIn(Id(block), EntryState::kFree));
  const auto slot = static_cast<SlotId>(entry.slot);
  return {slot == kNoSlot ? 0 : pool_.OffsetOf(slot), static_cast<uint32_t>(entry.length_bytes),
          entry.checksum};
}

absl::Span<std::byte> ShardImpl::SlotBytes(EntryId id) const {
  const Entry& entry = entries_[id];
  return arena_.bytes().subspan(pool_.OffsetOf(static_cast<SlotId>(entry.slot)),
                                entry.length_bytes);
}

// What is on NVMe alone is used when it comes back. anew: nobody holds it; else this is one more
// step of a use, like the fetch of a block that a lease holds.
void ShardImpl::Use(EntryId id, bool anew) {
  if (!HasBytes(id)) return;
  if (anew) {
    policy_->Touch(id, GroupOf(id), NowMs());
  } else {
    policy_->Refresh(id, GroupOf(id), NowMs());
  }
}

void ShardImpl::AddPin(EntryId id) {
  Entry& entry = entries_[id];
#ifndef CAIRN_SABOTAGE_PIN
  if (entry.listed) policy_->Withdraw(id, GroupOf(id));
#endif
  ++entry.pins;
  counters_.pins.Add(1);
}

bool ShardImpl::Evictable(EntryId id) const {
  const Entry& entry = entries_[id];
  return IsIn(id, EntryState::kSealed) && HasBytes(id) && entry.pins == 0 && entry.children == 0;
}

// After an unpin, or on coming to DRAM.
void ShardImpl::OfferIfEvictable(EntryId id) {
  if (Evictable(id) && !entries_[id].listed) policy_->Offer(id, GroupOf(id));
}

InventoryChange ShardImpl::MakeChange(const Entry& entry, uint16_t change) const {
  return {entry.key, scopes_[entry.scope].tenant, reactor_, change};
}

void ShardImpl::Report(const Entry& entry, uint16_t change) {
  if (changes_written_ - changes_read_ == kChangesMax) {
    changes_lost_ = true;
    return;
  }
  changes_[changes_written_++ % kChangesMax] = MakeChange(entry, change);
}

size_t ShardImpl::TakeChanges(absl::Span<InventoryChange> out, bool* lost) {
  *lost = std::exchange(changes_lost_, false);
  if (*lost) changes_read_ = changes_written_;
  size_t count = 0;
  while (count < out.size() && changes_read_ != changes_written_) {
    out[count++] = changes_[changes_read_++ % kChangesMax];
  }
  return count;
}

size_t ShardImpl::Snapshot(uint64_t* cursor, absl::Span<InventoryChange> out) const {
  size_t count = 0;
  for (uint64_t& id = *cursor; count < out.size() && id < entries_fresh_; ++id) {
    const auto entry = static_cast<EntryId>(id);
    if (!IsIn(entry, EntryState::kSealed)) continue;
    out[count++] = MakeChange(entries_[id], TierChange(entry));
  }
  return count;
}

}  // namespace cairn
