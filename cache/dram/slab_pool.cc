#include "cache/dram/slab_pool.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace cairn {

SlabPool::SlabPool(uint64_t capacity_bytes, uint64_t slab_bytes)
    : slab_bytes_(slab_bytes),
      slots_per_slab_(static_cast<uint32_t>(slab_bytes / kSlotGranularityBytes)),
      words_per_slab_((slots_per_slab_ + 63) / 64),
      slabs_(capacity_bytes / slab_bytes),
      used_(slabs_.size() * words_per_slab_) {
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

uint64_t SlabPool::OffsetOf(SlotId slot) const {
  const uint32_t slab = SlabOf(slot);
  return slab * slab_bytes_ + slot % slots_per_slab_ * classes_[slabs_[slab].size_class].slot_bytes;
}

SlotId SlabPool::Allocate(SizeClass size_class) {
  Class& wanted = classes_[size_class];
  if (wanted.open_slabs.empty()) {
    if (free_slabs_.empty()) return kNoSlot;
    const uint32_t fresh = free_slabs_.back();
    free_slabs_.pop_back();
    slabs_[fresh] = {size_class, 0, 0};
    wanted.open_slabs.push_back(fresh);
  }
  const uint32_t slab_index = wanted.open_slabs.back();
  Slab& slab = slabs_[slab_index];
  while (Word(slab_index, slab.search_from) == UINT64_MAX) ++slab.search_from;
  uint64_t& word = Word(slab_index, slab.search_from);
  const auto bit = static_cast<uint32_t>(std::countr_one(word));
  word |= uint64_t{1} << bit;
  const uint32_t slot = slab.search_from * 64 + bit;
  // There is room, and a slab's slots are used from the front.
  CAIRN_CHECK(slot < SlotCount(slab_index));
  ++slab.used;
  if (!HasRoom(slab_index)) wanted.open_slabs.pop_back();
  return slab_index * slots_per_slab_ + slot;
}

bool SlabPool::HasFree(SizeClass size_class, uint32_t slots) const {
  uint64_t free = free_slabs_.size() * (slab_bytes_ / classes_[size_class].slot_bytes);
  for (const uint32_t slab : classes_[size_class].open_slabs) {
    if (free >= slots) break;
    free += SlotCount(slab) - slabs_[slab].used;
  }
  return free >= slots;
}

bool SlabPool::Claim(uint64_t offset_bytes, SizeClass size_class, SlotId* slot) {
  const uint64_t slab_number = offset_bytes / slab_bytes_;
  if (slab_number >= slabs_.size()) return false;
  const auto slab_index = static_cast<uint32_t>(slab_number);
  Slab& slab = slabs_[slab_index];
  Class& owner = classes_[size_class];
  const uint64_t within = offset_bytes % slab_bytes_;
  const auto index = static_cast<uint32_t>(within / owner.slot_bytes);
  if (within % owner.slot_bytes != 0 || index >= slab_bytes_ / owner.slot_bytes) return false;
  if (slab.size_class == kNoSizeClass) {
    slab.size_class = size_class;
    free_slabs_.erase(std::find(free_slabs_.begin(), free_slabs_.end(), slab_index));
    owner.open_slabs.push_back(slab_index);
  }
  uint64_t& word = Word(slab_index, index / 64);
  const uint64_t bit = uint64_t{1} << index % 64;
  if (slab.size_class != size_class || (word & bit) != 0) return false;
  word |= bit;
  ++slab.used;
  if (!HasRoom(slab_index)) {
    owner.open_slabs.erase(std::find(owner.open_slabs.begin(), owner.open_slabs.end(), slab_index));
  }
  *slot = slab_index * slots_per_slab_ + index;
  return true;
}

void SlabPool::Free(SlotId id) {
  const uint32_t slab_index = SlabOf(id);
  const uint32_t slot = id % slots_per_slab_;
  Slab& slab = slabs_[slab_index];
  uint64_t& word = Word(slab_index, slot / 64);
  const uint64_t bit = uint64_t{1} << slot % 64;
  CAIRN_CHECK(slab.used > 0 && (word & bit) != 0);
  Class& owner = classes_[slab.size_class];
  const bool was_open = HasRoom(slab_index);
  word &= ~bit;
  slab.search_from = std::min(slab.search_from, slot / 64);
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
