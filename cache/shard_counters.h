// A shard's figures. Written by the owning reactor, read by anyone at any time.
#ifndef CAIRN_CACHE_SHARD_COUNTERS_H_
#define CAIRN_CACHE_SHARD_COUNTERS_H_

#include <atomic>
#include <cstdint>

namespace cairn {

// One writer, so that a load and a store make an increment without a locked instruction.
class Counter {
 public:
  void Add(uint64_t amount) { Set(value() + amount); }
  void Subtract(uint64_t amount) { Set(value() - amount); }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct ShardCounters {
  Counter capacity_bytes;
  Counter used_bytes;  // in DRAM: of sealed, reserved and loading blocks, and of unlinked ones
                       // still pinned
  Counter blocks;      // sealed and visible, in any tier
  Counter dram_blocks;
  Counter flash_blocks;  // with a copy on NVMe
  Counter flash_bytes;   // payload bytes of them
  Counter pins;
  Counter reservations;
  Counter hits;        // of Pin
  Counter flash_hits;  // of those, not in DRAM
  Counter misses;      // of Pin
  Counter sealed_total;
  Counter evicted_blocks_total;
  Counter evicted_bytes_total;
  Counter quarantined_total;
  Counter conflicts_total;
  Counter no_capacity_total;
  Counter adopted_blocks_total;   // handed over by an earlier life
  Counter demoted_blocks_total;   // went to NVMe
  Counter promoted_blocks_total;  // came back
};

}  // namespace cairn

#endif  // CAIRN_CACHE_SHARD_COUNTERS_H_
