// The shard's invariants, for tests.
#include <absl/container/flat_hash_map.h>

#include "base/check.h"
#include "cache/shard_impl.h"

namespace cairn {

void ShardImpl::CheckInvariants() const {
  uint64_t blocks = 0;
  uint64_t dram_blocks = 0;
  uint64_t flash_blocks = 0;
  uint64_t pins = 0;
  uint64_t used_bytes = 0;
  uint64_t reservations = 0;
  uint64_t entries = 0;
  absl::flat_hash_map<EntryId, uint64_t> children;  // in DRAM
  absl::flat_hash_map<SlotId, EntryId> slots;
  for (EntryId id = 0; id < entries_fresh_; ++id) {
    const Entry& entry = entries_[id];
    if (IsIn(id, EntryState::kFree)) continue;
    ++entries;
    pins += entry.pins;
    if (entry.slot != kNoSlot) {
      used_bytes += entry.length_bytes;
      CAIRN_CHECK(slots.emplace(static_cast<SlotId>(entry.slot), id).second);
    }
    reservations += IsIn(id, EntryState::kReserved) ? 1 : 0;
    if (IsIn(id, EntryState::kUnlinked)) CAIRN_CHECK(entry.pins > 0 && !policy_->Holds(id));
    if (!IsIn(id, EntryState::kSealed)) continue;
    ++blocks;
    flash_blocks += OnFlash(id) ? 1 : 0;
    dram_blocks += HasBytes(id) ? 1 : 0;
    CAIRN_CHECK(HasBytes(id) || OnFlash(id));
    CAIRN_CHECK(Find(ScopeOf(id), entry.key) == id);
    CAIRN_CHECK((entry.listed == 1) == Evictable(id));
    CAIRN_CHECK(policy_->Holds(id) == HasBytes(id));
    CAIRN_CHECK((entry.parent == kNoEntry) == (entry.run_offset == 0));
    if (entry.parent == kNoEntry) continue;
    const auto parent_id = static_cast<EntryId>(entry.parent);
    const Entry& parent = entries_[parent_id];
    CAIRN_CHECK(IsIn(parent_id, EntryState::kSealed));
    CAIRN_CHECK(parent.run_offset + 1 == entry.run_offset && parent.scope == entry.scope);
    children[parent_id] += HasBytes(id) ? 1 : 0;
  }
  ForEachSealed([&](EntryId id) {
    const auto found = children.find(id);
    CAIRN_CHECK(entries_[id].children == (found == children.end() ? 0 : found->second));
  });
  CAIRN_CHECK(entries == entries_used_);
  CAIRN_CHECK(blocks == counters_.blocks.value() && pins == counters_.pins.value());
  CAIRN_CHECK(dram_blocks == counters_.dram_blocks.value());
  CAIRN_CHECK(dram_blocks == policy_->resident());
  CAIRN_CHECK(flash_blocks == counters_.flash_blocks.value());
  CAIRN_CHECK(used_bytes == counters_.used_bytes.value());
  CAIRN_CHECK(reservations == counters_.reservations.value());
}

}  // namespace cairn
