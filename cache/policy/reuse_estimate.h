// What half and twice the room would have given under least-recently-used, from a sample: the
// references to one in 2^k keys, chosen by their hash, behave at room / 2^k as all do at room
// (SHARDS, Waldspurger, FAST'15). At most 8,192 keys, about 300 KiB.
#ifndef CAIRN_CACHE_POLICY_REUSE_ESTIMATE_H_
#define CAIRN_CACHE_POLICY_REUSE_ESTIMATE_H_

#include <array>
#include <cstdint>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "cache/shard_counters.h"

namespace cairn {

// All scaled to all references, since the tier was full for the first time. Read by other threads.
struct ReuseFigures {
  Counter references;
  Counter hits_half;   // with half the room
  Counter hits_same;   // with the room there is, for comparison
  Counter hits_twice;  // with twice the room
};

// One thread. O(1), no allocation after construction.
class ReuseEstimate {
 public:
  ReuseEstimate();

  // hash: uniform in its key. Told of each use and of each new block.
  void Reference(uint64_t hash);
  // The tier is full and holds so many blocks. Counting begins with the first call.
  void SetRoom(uint64_t blocks);
  const ReuseFigures& figures() const { return figures_; }

 private:
  static constexpr uint32_t kKeysMax = 8192;
  static constexpr uint16_t kNone = UINT16_MAX;
  // The most recently used half of the room, the rest of it, and as much again.
  static constexpr size_t kBands = 3;

  struct Slot {
    uint64_t hash;
    uint16_t newer;
    uint16_t older;
    uint16_t band;
  };
  struct Band {
    uint16_t newest = kNone;
    uint16_t oldest = kNone;
    uint32_t size = 0;
  };

  bool Sampled(uint64_t hash) const { return shift_ == 0 || hash >> (64 - shift_) == 0; }
  uint32_t Limit(size_t band) const;
  uint16_t TakeSlot();
  void Count(size_t band);
  void PushNewest(size_t band, uint16_t slot);
  void PushOldest(size_t band, uint16_t slot);
  void Unlink(uint16_t slot);
  void Forget(uint16_t slot);
  void Balance();
  void HalveSample();

  uint64_t room_ = 0;   // 0: never full yet
  uint32_t shift_ = 0;  // one key in 2^shift is followed
  std::array<Band, kBands> bands_;
  std::vector<Slot> slots_;
  std::vector<uint16_t> free_;
  absl::flat_hash_map<uint64_t, uint16_t> index_;
  ReuseFigures figures_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_REUSE_ESTIMATE_H_
