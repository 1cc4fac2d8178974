// How blocks go: out of DRAM, out of the index.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cache/shard_impl.h"

namespace cairn {

void ShardImpl::FreeSlot(EntryId id) {
  Entry& entry = entries_[id];
  counters_.used_bytes.Subtract(entry.length_bytes);
  pool_.Free(static_cast<SlotId>(entry.slot));
  entry.slot = kNoSlot;
}

// The last of an entry that nobody can find and nobody holds.
void ShardImpl::Forget(EntryId id) {
  if (entries_[id].slot != kNoSlot) FreeSlot(id);
  GiveEntry(id);
}

// A child's bytes are leaving DRAM.
void ShardImpl::ReleaseParent(EntryId child) {
  const auto id = static_cast<EntryId>(entries_[child].parent);
  if (id == kNoEntry) return;
  CAIRN_CHECK(entries_[id].children > 0);
  --entries_[id].children;
  if (Evictable(id)) policy_->OfferHead(id, GroupOf(id));
}

// For want of room: should it come back, that is a lesson.
void ShardImpl::EvictFromPolicy(EntryId id) {
  if (entries_[id].listed) policy_->Withdraw(id, GroupOf(id));
  policy_->Evict(id, NowMs());
}

void ShardImpl::DropFromPolicy(EntryId id) {
  if (asked_ == id) asked_ = kNoEntry;
  if (entries_[id].listed) policy_->Withdraw(id, GroupOf(id));
  policy_->Drop(id);
}

// The block stays, on NVMe alone.
void ShardImpl::LeaveDram(EntryId id) {
  CAIRN_CHECK(OnFlash(id) && HasBytes(id) && entries_[id].pins == 0);
  counters_.dram_blocks.Subtract(1);
  ReleaseParent(id);
  FreeSlot(id);
  Report(entries_[id], kInventoryOnDrive);
}

void ShardImpl::Evict(EntryId id) {
  const bool demoted = OnFlash(id) || DemoteRun(id);
  if (asked_ == id) asked_ = kNoEntry;
  EvictFromPolicy(id);
  if (demoted) return LeaveDram(id);
  counters_.evicted_blocks_total.Add(1);
  counters_.evicted_bytes_total.Add(entries_[id].length_bytes);
  Unlink(id);
}

// Invisible from here on, and with it, on NVMe, what descends from it; the slot is freed at once or
// with the last pin.
void ShardImpl::Unlink(EntryId id) {
  if (has_flash()) {
    while (Link(id).first_child != kNoEntry) Unlink(static_cast<EntryId>(Link(id).first_child));
  }
  Entry& entry = entries_[id];
  CAIRN_CHECK(IsIn(id, EntryState::kSealed) && entry.children == 0);
  // Unlink before free: a pin taken between the two would read a slot that its next writer fills.
  table_.Erase(entry.key, id, entries_);
  if (policy_->Holds(id)) DropFromPolicy(id);
  counters_.blocks.Subtract(1);
  Report(entry, kInventoryRemoved);
  if (OnFlash(id)) ClearPlace(id);
  if (HasBytes(id)) {
    counters_.dram_blocks.Subtract(1);
    ReleaseParent(id);
  }
  if (has_flash()) DetachFromParent(id);
  entry.parent = kNoEntry;
  entry.state = static_cast<uint64_t>(EntryState::kUnlinked);
#ifdef CAIRN_SABOTAGE_PIN
  const bool pinned = false;
#else
  const bool pinned = entry.pins > 0;
#endif
  if (!pinned) Forget(id);
}

void ShardImpl::DetachFromParent(EntryId id) {
  const auto parent = static_cast<EntryId>(entries_[id].parent);
  if (parent == kNoEntry) return;
  if (Link(parent).first_child == id) {
    Link(parent).first_child = Link(id).next_sibling;
    return;
  }
  auto at = static_cast<EntryId>(Link(parent).first_child);
  while (Link(at).next_sibling != id) at = static_cast<EntryId>(Link(at).next_sibling);
  Link(at).next_sibling = Link(id).next_sibling;
}

bool ShardImpl::Descends(EntryId id, EntryId ancestor) const {
  while (entries_[id].parent != kNoEntry) {
    id = static_cast<EntryId>(entries_[id].parent);
    if (id == ancestor) return true;
  }
  return false;
}

void ShardImpl::Quarantine(BlockRef block) {
  const EntryId root = Id(block);
  if (!IsIn(root, EntryState::kSealed)) return;
  counters_.quarantined_total.Add(1);
  if (has_flash()) return Unlink(root);
  // Rare, so a walk over all entries is better than a field for it in each.
  leaving_.clear();
  ForEachSealed([this, root](EntryId id) {
    if (id != root && Descends(id, root)) leaving_.push_back(id);
  });
  std::sort(leaving_.begin(), leaving_.end(), [this](EntryId a, EntryId b) {
    return entries_[a].run_offset > entries_[b].run_offset;
  });
  for (const EntryId id : leaving_) Unlink(id);
  Unlink(root);
}

void ShardImpl::EvictAll() {
  for (size_t group = 0; group < pool_.class_count(); ++group) {
    const auto victim = [&] { return policy_->Victim(static_cast<PolicyGroup>(group), NowMs()); };
    for (EntryId id = victim(); id != kNoEntry; id = victim()) Evict(id);
  }
}

// Evicts all blocks of the slab with what descends from them in DRAM, unless one of them is pinned
// or reserved.
bool ShardImpl::EmptySlab(uint32_t slab) {
  const auto inside = [this, slab](EntryId id) {
    return entries_[id].slot != kNoSlot && SlabOf(id) == slab;
  };
  leaving_.clear();
  for (EntryId id = 0; id < entries_fresh_; ++id) {
    if (IsIn(id, EntryState::kFree)) continue;
    if (inside(id) && (!IsIn(id, EntryState::kSealed) || entries_[id].pins > 0)) return false;
    if (!IsIn(id, EntryState::kSealed) || entries_[id].slot == kNoSlot) continue;
    EntryId at = id;
    while (at != kNoEntry && !inside(at)) at = static_cast<EntryId>(entries_[at].parent);
    if (at == kNoEntry) continue;
    if (entries_[id].pins > 0) return false;
    leaving_.push_back(id);
  }
  std::sort(leaving_.begin(), leaving_.end(), [this](EntryId a, EntryId b) {
    return entries_[a].run_offset > entries_[b].run_offset;
  });
  for (const EntryId id : leaving_) {
    // An ancestor that NVMe would not take has taken it along.
    if (IsIn(id, EntryState::kSealed) && entries_[id].slot != kNoSlot) Evict(id);
  }
  return pool_.slab_class(slab) == kNoSizeClass;
}

}  // namespace cairn
