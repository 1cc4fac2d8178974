// Cuts the arena into slabs and each slab into slots of one size class. A class exists for each
// rounded block length in use; an emptied slab may serve another class.
#ifndef CAIRN_CACHE_DRAM_SLAB_POOL_H_
#define CAIRN_CACHE_DRAM_SLAB_POOL_H_

#include <cstdint>
#include <vector>

#include "cache/entry.h"
#include "cache/sparse_array.h"

namespace cairn {

inline constexpr uint32_t kSlotGranularityBytes = 4096;
inline constexpr size_t kSizeClassesMax = 256;  // one per block length in use; more are refused
inline constexpr uint64_t kSlabBytesMax = 64u << 20;

using SizeClass = uint16_t;
inline constexpr SizeClass kNoSizeClass = UINT16_MAX;

// One thread. O(1) but for TakeSlab's list. Free slots are linked through their entries.
class SlabPool {
 public:
  // entries outlive the pool.
  SlabPool(uint64_t capacity_bytes, uint64_t slab_bytes, SparseArray<Entry>& entries);

  // The class of blocks of this length, made at first use; kNoSizeClass: kSizeClassesMax are in
  // use, or the length is larger than a slab.
  SizeClass ClassOf(uint32_t length_bytes);
  // A free slot of the class, from its slabs or from a free slab; kNoEntry: neither is there.
  EntryId Allocate(SizeClass size_class);
  // Back to its slab; an empty slab becomes free for every class.
  void Free(EntryId id);

  SizeClass ClassOfEntry(EntryId id) const { return slabs_[id / slots_per_slab_].size_class; }
  uint64_t SlotBytes(SizeClass size_class) const { return classes_[size_class].slot_bytes; }
  uint64_t OffsetOf(EntryId id) const;
  size_t class_count() const { return classes_.size(); }

  uint32_t slab_count() const { return static_cast<uint32_t>(slabs_.size()); }
  SizeClass slab_class(uint32_t slab) const { return slabs_[slab].size_class; }
  // The entries of a slab in use are [first, first + count).
  EntryId FirstEntry(uint32_t slab) const { return slab * slots_per_slab_; }
  uint32_t SlotCount(uint32_t slab) const;

 private:
  struct Slab {
    SizeClass size_class = kNoSizeClass;  // none: free
    uint32_t used = 0;
    EntryId free_head = kNoEntry;
    uint32_t fresh = 0;  // slots from here on were never used since the slab got its class
  };
  struct Class {
    uint64_t slot_bytes = 0;
    std::vector<uint32_t> open_slabs;  // with a free slot; at most slab_count
  };
  bool HasRoom(uint32_t slab) const;

  const uint64_t slab_bytes_;
  const uint32_t slots_per_slab_;
  SparseArray<Entry>& entries_;
  std::vector<Slab> slabs_;
  std::vector<uint32_t> free_slabs_;
  std::vector<Class> classes_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DRAM_SLAB_POOL_H_
