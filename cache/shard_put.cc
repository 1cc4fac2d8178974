// New blocks: reserve, seal, abort.
#include "base/check.h"
#include "cache/shard_impl.h"

namespace cairn {

EntryId ShardImpl::TakeEntry() {
  EntryId id = free_entries_;
  if (id != kNoEntry) {
    free_entries_ = static_cast<EntryId>(entries_[id].next);
  } else if (entries_fresh_ < entries_.size()) {
    id = entries_fresh_++;
  } else {
    return kNoEntry;
  }
  ++entries_used_;
  entries_[id] = Entry{};
  entries_[id].parent = kNoEntry;
  entries_[id].slot = kNoSlot;
  if (has_flash()) {
    Link(id) = FlashLink{};
    Link(id).first_child = kNoEntry;
    Link(id).next_sibling = kNoEntry;
  }
  return id;
}

void ShardImpl::GiveEntry(EntryId id) {
  --entries_used_;
  entries_[id].state = static_cast<uint64_t>(EntryState::kFree);
  entries_[id].next = free_entries_;
  free_entries_ = id;
}

// The parent that a block of this identity must have, in any tier; kNoEntry at the start of a run.
bool ShardImpl::FindParent(ScopeId scope, const BlockKey& parent_key, uint32_t run_offset,
                           EntryId* parent) const {
  *parent = kNoEntry;
  if (run_offset == 0) return true;
  const EntryId id = Find(scope, parent_key);
  if (id == kNoEntry || entries_[id].run_offset != run_offset - 1 ||
      entries_[id].children == kChildrenMax) {
    return false;
  }
  *parent = id;
  return true;
}

SlotId ShardImpl::AllocateOrEvict(uint32_t length_bytes) {
  const SizeClass size_class = pool_.ClassOf(length_bytes);
  if (size_class == kNoSizeClass) return kNoSlot;
  const SlotId slot = pool_.Allocate(size_class);
  if (slot != kNoSlot) return slot;
  if (TakeColdSlab(size_class)) return pool_.Allocate(size_class);
  const EntryId victim = policy_->Victim(static_cast<PolicyGroup>(size_class), NowMs());
  if (victim != kNoEntry) {
    Evict(victim);
  } else if (!FreeOneSlab(size_class)) {
    return kNoSlot;
  }
  return pool_.Allocate(size_class);
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
    if (same) Use(present, entry.pins == 0);
    if (same && sink_ != nullptr) sink_->OnStored(identity);
    return {same ? ReserveOutcome::kPresent : ReserveOutcome::kConflict};
  }
  EntryId parent;
  const uint32_t run_offset = identity.position - RunStart(identity.position);
  if (!FindParent(identity.scope, identity.parent, run_offset, &parent) &&
      !reserved_keys_.contains({identity.scope, identity.parent})) {
    return {ReserveOutcome::kParentAbsent};
  }
  // The parent must not be the victim of its own child.
  const bool hold = parent != kNoEntry && entries_[parent].pins < kPinsMax;
  if (hold) AddPin(parent);
  const SlotId slot = AllocateOrEvict(identity.length_bytes);
  if (slot != kNoSlot) EvictAhead(pool_.ClassOfSlot(slot));
  if (hold) Unpin(Ref(parent));
  const EntryId id = slot == kNoSlot ? kNoEntry : TakeEntry();
  if (id == kNoEntry) {
    if (slot != kNoSlot) pool_.Free(slot);
    counters_.no_capacity_total.Add(1);
    return {ReserveOutcome::kNoCapacity};
  }
  Entry& entry = entries_[id];
  entry.key = identity.key;
  entry.checksum = identity.checksum;
  entry.slot = slot;
  entry.run_offset = run_offset;
  entry.depth = DepthOf(identity.position);
  entry.length_bytes = identity.length_bytes;
  entry.hint = static_cast<uint64_t>(identity.hint);
  entry.scope = static_cast<uint16_t>(identity.scope);
  entry.state = static_cast<uint64_t>(EntryState::kReserved);
  if (has_flash()) Link(id).position = identity.position;
  if (identity.position != 0) reserved_parents_[id] = identity.parent;
  ++reserved_keys_[{identity.scope, identity.key}];
  counters_.used_bytes.Add(identity.length_bytes);
  counters_.reservations.Add(1);
  if (sink_ != nullptr) sink_->OnStored(identity);
  return {ReserveOutcome::kReserved, Ref(id)};
}

void ShardImpl::EndReservation(EntryId id) {
  counters_.reservations.Subtract(1);
  reserved_parents_.erase(id);
  const auto key = reserved_keys_.find({ScopeOf(id), entries_[id].key});
  if (--key->second == 0) reserved_keys_.erase(key);
}

void ShardImpl::Abort(BlockRef reserved) {
  CAIRN_CHECK(IsIn(Id(reserved), EntryState::kReserved));
  EndReservation(Id(reserved));
  Forget(Id(reserved));
}

SealOutcome ShardImpl::Seal(BlockRef reserved) {
  const EntryId id = Id(reserved);
  Entry& entry = entries_[id];
  CAIRN_CHECK(IsIn(id, EntryState::kReserved));
  const EntryId present = Find(ScopeOf(id), entry.key);
  if (present != kNoEntry) {
    const Entry& other = entries_[present];
    const bool same = other.checksum == entry.checksum && other.length_bytes == entry.length_bytes;
    if (!same) counters_.conflicts_total.Add(1);
    EndReservation(id);
    Forget(id);
    return same ? SealOutcome::kPresent : SealOutcome::kConflict;
  }
  EntryId parent = kNoEntry;
  const auto stored = reserved_parents_.find(id);
  const BlockKey parent_key = stored != reserved_parents_.end() ? stored->second : BlockKey{};
  const bool found =
      entry.run_offset == 0 ||
      FindParent(ScopeOf(id), parent_key, static_cast<uint32_t>(entry.run_offset), &parent);
  if (!found && reserved_keys_.contains({ScopeOf(id), parent_key}))
    return SealOutcome::kParentPending;
  EndReservation(id);
  if (!found) {
    Forget(id);
    return SealOutcome::kParentAbsent;
  }
  Show(id, parent);
  counters_.sealed_total.Add(1);
  EnterDram(id, entry.run_offset == 0 ? Find(ScopeOf(id), parent_key) : parent);
  return SealOutcome::kSealed;
}

// Visible from here on.
void ShardImpl::Show(EntryId id, EntryId parent) {
  Entry& entry = entries_[id];
  entry.parent = parent;
  entry.state = static_cast<uint64_t>(EntryState::kSealed);
  if (has_flash() && parent != kNoEntry) {
    Link(id).next_sibling = Link(parent).first_child;
    Link(parent).first_child = id;
  }
  table_.Insert(entry.key, id);
  counters_.blocks.Add(1);
  Report(entry, TierChange(id));
}

// Its bytes are in DRAM now: its parent stays there as long. predecessor: before it in its chain,
// also in the run before; kNoEntry: not of this shard.
void ShardImpl::EnterDram(EntryId id, EntryId predecessor) {
  counters_.dram_blocks.Add(1);
  policy_->Admit(id, GroupOf(id), predecessor, static_cast<ReturnHint>(entries_[id].hint), NowMs());
  const auto parent = static_cast<EntryId>(entries_[id].parent);
  if (parent != kNoEntry) {
    ++entries_[parent].children;
    if (entries_[parent].listed) policy_->Withdraw(parent, GroupOf(parent));
  }
  OfferIfEvictable(id);
}

}  // namespace cairn
