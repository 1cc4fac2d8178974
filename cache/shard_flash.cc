// Blocks on NVMe: leaving DRAM for it, coming back, found there at the start, gone from there.
#include "base/check.h"
#include "cache/shard_impl.h"

namespace cairn {

FlashPlace ShardImpl::PlaceOf(BlockRef block) const {
  const FlashLink& link = Link(Id(block));
  CAIRN_CHECK(link.on_flash == 1);
  return {static_cast<uint32_t>(link.log),
          {static_cast<uint32_t>(link.segment), static_cast<uint32_t>(link.sector)},
          link.encrypted == 1};
}

FlashBlock ShardImpl::Describe(BlockRef block) const {
  const Entry& entry = entries_[Id(block)];
  const Scope& scope = scopes_[entry.scope];
  FlashBlock described;
  described.tenant = scope.tenant;
  described.ns = scope.ns;
  described.key = entry.key;
  if (entry.parent != kNoEntry) described.parent = entries_[entry.parent].key;
  EntryId head = Id(block);
  while (entries_[head].parent != kNoEntry) head = static_cast<EntryId>(entries_[head].parent);
  described.run_key = entries_[head].key;
  described.checksum = entry.checksum;
  described.position = static_cast<uint32_t>(Link(Id(block)).position);
  described.length_bytes = static_cast<uint32_t>(entry.length_bytes);
  described.hint = static_cast<ReturnHint>(entry.hint);
  return described;
}

void ShardImpl::SetPlace(EntryId id, FlashPlace place) {
  FlashLink& link = Link(id);
  if (link.on_flash == 0) {
    counters_.flash_blocks.Add(1);
    counters_.flash_bytes.Add(entries_[id].length_bytes);
  }
  link.on_flash = 1;
  link.log = place.log;
  link.segment = place.at.segment;
  link.sector = place.at.sector;
  link.encrypted = place.encrypted ? 1 : 0;
  link.used = 0;
}

void ShardImpl::ClearPlace(EntryId id) {
  Link(id).on_flash = 0;
  counters_.flash_blocks.Subtract(1);
  counters_.flash_bytes.Subtract(entries_[id].length_bytes);
}

bool ShardImpl::Demote(EntryId id) {
  FlashPlace place;
  if (!sink_->Take(Describe(Ref(id)), SlotBytes(id), &place)) return false;
  SetPlace(id, place);
  counters_.demoted_blocks_total.Add(1);
  return true;
}

std::optional<absl::Span<std::byte>> ShardImpl::BeginLoad(BlockRef block) {
  const EntryId id = Id(block);
  Entry& entry = entries_[id];
  CAIRN_CHECK(entry.pins > 0 && entry.slot == kNoSlot && OnFlash(id));
  const SlotId slot = AllocateOrEvict(static_cast<uint32_t>(entry.length_bytes));
  if (slot == kNoSlot) return std::nullopt;
  // What went for it may have been its ancestor, which takes it along.
  if (!IsIn(id, EntryState::kSealed)) {
    pool_.Free(slot);
    return std::nullopt;
  }
  entry.slot = slot;
  Link(id).loading = 1;
  counters_.used_bytes.Add(entry.length_bytes);
  return arena_.bytes().subspan(pool_.OffsetOf(slot), RoundUpToSector(entry.length_bytes));
}

void ShardImpl::EndLoad(BlockRef block, bool good) {
  const EntryId id = Id(block);
  CAIRN_CHECK(Link(id).loading == 1 && entries_[id].pins > 0);
  Link(id).loading = 0;
  if (!good) return FreeSlot(id);
  counters_.promoted_blocks_total.Add(1);
  if (!IsIn(id, EntryState::kSealed)) return;
  EnterDram(id, static_cast<EntryId>(entries_[id].parent));
  Report(entries_[id], kInventoryAdded);
}

bool ShardImpl::Adopt(ScopeId scope, const FlashBlock& block, FlashPlace place) {
  const EntryId present = Find(scope, block.key);
  if (present != kNoEntry) {
    const Entry& entry = entries_[present];
    if (entry.checksum != block.checksum || entry.length_bytes != block.length_bytes) return false;
    SetPlace(present, place);
    return true;
  }
  EntryId parent;
  const uint32_t run_offset = block.position - RunStart(block.position);
  if (!FindParent(scope, block.parent, run_offset, &parent)) return false;
  const EntryId id = TakeEntry();
  if (id == kNoEntry) return false;
  Entry& entry = entries_[id];
  entry.key = block.key;
  entry.checksum = block.checksum;
  entry.run_offset = run_offset;
  entry.depth = DepthOf(block.position);
  entry.length_bytes = block.length_bytes;
  entry.hint = static_cast<uint64_t>(block.hint);
  entry.scope = static_cast<uint16_t>(scope);
  Link(id).position = block.position;
  Show(id, parent);
  SetPlace(id, place);
  return true;
}

BlockRef ShardImpl::FindAt(TenantId tenant, const NamespaceId& ns, const BlockKey& key,
                           FlashPlace place) const {
  const auto scope = scope_ids_.find({tenant, ns});
  if (scope == scope_ids_.end()) return BlockRef::kNone;
  const EntryId id = Find(scope->second, key);
  if (id == kNoEntry || !OnFlash(id)) return BlockRef::kNone;
  const FlashPlace at = PlaceOf(Ref(id));
  return at.log == place.log && at.at == place.at ? Ref(id) : BlockRef::kNone;
}

void ShardImpl::MoveCopy(BlockRef block, FlashPlace place) {
  CAIRN_CHECK(IsIn(Id(block), EntryState::kSealed) && OnFlash(Id(block)));
  SetPlace(Id(block), place);
}

void ShardImpl::DropCopy(BlockRef block) {
  const EntryId id = Id(block);
  if (!IsIn(id, EntryState::kSealed) || !OnFlash(id)) return;
  if (HasBytes(id)) return ClearPlace(id);
  counters_.evicted_blocks_total.Add(1);
  counters_.evicted_bytes_total.Add(entries_[id].length_bytes);
  Unlink(id);
}

void ShardImpl::DropSegment(uint32_t log, uint32_t segment) {
  ForEachSealed([&](EntryId id) {
    const FlashLink& link = Link(id);
    if (link.on_flash == 1 && link.log == log && link.segment == segment) DropCopy(Ref(id));
  });
}

}  // namespace cairn
