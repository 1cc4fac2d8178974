#include "cache/dram/slab_pool.h"

#include <algorithm>

#include "base/check.h"

namespace cairn {

SlabPool::SlabPool(uint64_t capacity_bytes, uint64_t slab_bytes, SparseArray<Entry>& entries)
    : slab_bytes_(slab_bytes),
      slots_per_slab_(static_cast<uint32_t>(slab_bytes / kSlotGranularityBytes)),
      entries_(entries),
      slabs_(capacity_bytes / slab_bytes) {
  // Lists never grow beyond these, so nothing allocates later.
  free_slabs_.reserve(slabs_.size());
  for (size_t slab = slabs_.size(); slab > 0; --slab) {
    free_slabs_.push_back(static_cast<uint32_t>(slab - 1));
  }
  classes_.reserve(kSizeClassesMax);
}

SizeClass SlabPool::ClassOf(uint32_t length_bytes) {
  const uint64_t slot_bytes = (uint64_t{length_bytes} + kSlotGranularityBytes - 1) /
                              kSlotGranularityBytes * kSlotGranularityBytes;
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (classes_[i].slot_bytes == slot_bytes) return static_cast<SizeClass>(i);
  }
  if (classes_.size() == kSizeClassesMax || slot_bytes > slab_bytes_) return kNoSizeClass;
  classes_.push_back({slot_bytes, {}});
  classes_.back().open_slabs.reserve(slabs_.size());
  return static_cast<SizeClass>(classes_.size() - 1);
}

uint32_t SlabPool::SlotCount(uint32_t slab) const {
  return static_cast<uint32_t>(slab_bytes_ / classes_[slabs_[slab].size_class].slot_bytes);
}

bool SlabPool::HasRoom(uint32_t slab) const {
  return slabs_[slab].free_head != kNoEntry || slabs_[slab].fresh < SlotCount(slab);
}

uint64_t SlabPool::OffsetOf(EntryId id) const {
  const uint32_t slab = id / slots_per_slab_;
  const uint32_t slot = id % slots_per_slab_;
  return slab * slab_bytes_ + slot * classes_[slabs_[slab].size_class].slot_bytes;
}

EntryId SlabPool::Allocate(SizeClass size_class) {
  Class& wanted = classes_[size_class];
  if (wanted.open_slabs.empty()) {
    if (free_slabs_.empty()) return kNoEntry;
    const uint32_t fresh = free_slabs_.back();
    free_slabs_.pop_back();
    slabs_[fresh] = {size_class, 0, kNoEntry, 0};
    wanted.open_slabs.push_back(fresh);
  }
  const uint32_t slab_index = wanted.open_slabs.back();
  Slab& slab = slabs_[slab_index];
  EntryId id = slab.free_head;
  if (id != kNoEntry) {
    slab.free_head = static_cast<EntryId>(entries_[id].next);
  } else {
    id = FirstEntry(slab_index) + slab.fresh++;
  }
  ++slab.used;
  if (!HasRoom(slab_index)) wanted.open_slabs.pop_back();
  return id;
}

void SlabPool::Free(EntryId id) {
  const uint32_t slab_index = id / slots_per_slab_;
  Slab& slab = slabs_[slab_index];
  CAIRN_CHECK(slab.used > 0);
  Class& owner = classes_[slab.size_class];
  const bool was_open = HasRoom(slab_index);
  entries_[id].next = slab.free_head;
  slab.free_head = id;
  --slab.used;
  if (slab.used == 0) {
    if (was_open) {
      owner.open_slabs.erase(
          std::find(owner.open_slabs.begin(), owner.open_slabs.end(), slab_index));
    }
    slab = {};
    free_slabs_.push_back(slab_index);
  } else if (!was_open) {
    owner.open_slabs.push_back(slab_index);
  }
}

}  // namespace cairn
