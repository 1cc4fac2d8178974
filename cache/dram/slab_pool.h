// Cuts the arena into slabs and each slab into slots of one size class. A class exists for each
// rounded block length in use; an emptied slab may serve another class.
#ifndef CAIRN_CACHE_DRAM_SLAB_POOL_H_
#define CAIRN_CACHE_DRAM_SLAB_POOL_H_

#include <cstdint>
#include <vector>

#include "cache/entry.h"

namespace cairn {

inline constexpr uint32_t kSlotGranularityBytes = 4096;
inline constexpr size_t kSizeClassesMax = 256;  // one per block length in use; more are refused
inline constexpr uint64_t kSlabBytesMax = 64u << 20;

using SizeClass = uint16_t;
inline constexpr SizeClass kNoSizeClass = UINT16_MAX;

// One thread. O(1) but for a class's list of slabs and a search in a slab's bitmap.
class SlabPool {
 public:
  SlabPool(uint64_t capacity_bytes, uint64_t slab_bytes);

  // The class of blocks of this length, made at first use; kNoSizeClass: kSizeClassesMax are in
  // use, or the length is larger than a slab.
  SizeClass ClassOf(uint32_t length_bytes);
  // A free slot of the class, from its slabs or from a free slab; kNoSlot: neither is there.
  SlotId Allocate(SizeClass size_class);
  // At least so many slots of the class could be allocated now.
  bool HasFree(SizeClass size_class, uint32_t slots) const;
  // The slot at this place, for a block that is there already. False: it cannot lie there, or
  // another does.
  bool Claim(uint64_t offset_bytes, SizeClass size_class, SlotId* slot);
  // Back to its slab; an empty slab becomes free for every class.
  void Free(SlotId slot);

  SizeClass ClassOfSlot(SlotId slot) const { return slabs_[SlabOf(slot)].size_class; }
  uint64_t SlotBytes(SizeClass size_class) const { return classes_[size_class].slot_bytes; }
  uint64_t OffsetOf(SlotId slot) const;
  size_t class_count() const { return classes_.size(); }

  uint64_t slab_bytes() const { return slab_bytes_; }
  uint32_t slab_count() const { return static_cast<uint32_t>(slabs_.size()); }
  SizeClass slab_class(uint32_t slab) const { return slabs_[slab].size_class; }
  uint32_t SlabOf(SlotId slot) const { return slot / slots_per_slab_; }
  uint32_t SlotCount(uint32_t slab) const;

 private:
  struct Slab {
    SizeClass size_class = kNoSizeClass;  // none: free
    uint32_t used = 0;
    uint32_t search_from = 0;  // no slot before this word of the bitmap is free
  };
  struct Class {
    uint64_t slot_bytes = 0;
    std::vector<uint32_t> open_slabs;  // with a free slot; at most slab_count
  };
  bool HasRoom(uint32_t slab) const { return slabs_[slab].used < SlotCount(slab); }
  // Of a slab's slots, 1: in use.
  uint64_t& Word(uint32_t slab, uint32_t word) { return used_[slab * words_per_slab_ + word]; }

  const uint64_t slab_bytes_;
  const uint32_t slots_per_slab_;
  const uint32_t words_per_slab_;
  std::vector<Slab> slabs_;
  std::vector<uint64_t> used_;
  std::vector<uint32_t> free_slabs_;
  std::vector<Class> classes_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DRAM_SLAB_POOL_H_
