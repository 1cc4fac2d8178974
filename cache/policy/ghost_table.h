// Blocks that went lately: what a policy still knows of them when they return. 10 of them share a
// cache line, so one costs 6.4 bytes; the oldest of a full line gives way.
#ifndef CAIRN_CACHE_POLICY_GHOST_TABLE_H_
#define CAIRN_CACHE_POLICY_GHOST_TABLE_H_

#include <cstdint>

#include <absl/status/statusor.h>

#include "cache/entry.h"
#include "cache/sparse_array.h"
#include "proto/identity.h"

namespace cairn {

inline constexpr uint32_t kGhostCountMax = (1u << 5) - 1;
inline constexpr uint64_t kGhostBytesMax = 12u << 20;  // per shard: 1.9 M ghosts

struct Ghost {
  int64_t at_ms = 0;   // of its last use, to 64 ms; ages beyond 12 days look younger
  uint32_t count = 0;  // 1 or more; kept up to kGhostCountMax
  uint32_t hint = 0;   // ReturnHint
  bool mark = false;
};

// One thread. O(1), no allocation. A key that never went is taken for a ghost once in 5,000.
class GhostTable {
 public:
  // kResourceExhausted: address space.
  static absl::StatusOr<GhostTable> Create();

  // How many shall be remembered, at most kGhostBytesMax of them. Growing forgets all, so it grows
  // by a quarter at least; it never shrinks.
  void SetRoom(uint64_t ghosts);
  // The age of the ghost that gave way, in ms; -1: none did.
  int64_t Put(const BlockKey& key, const Ghost& ghost, int64_t now_ms);
  // False: unknown. Else removes it.
  bool Take(const BlockKey& key, int64_t now_ms, Ghost* ghost);
  uint64_t room() const;

 private:
  static constexpr size_t kWays = 10;
  struct alignas(64) Line {
    uint16_t prints[kWays];  // of the key; 0: empty
    uint16_t times[kWays];   // units of 64 ms, the lower 16 bits
    uint8_t epochs[kWays];   // the next 8 bits
    uint8_t facts[kWays];    // hint in the upper two bits, below them the mark and the count
  };
  static_assert(sizeof(Line) == 64);
  static constexpr uint64_t kLinesMax = kGhostBytesMax / sizeof(Line);

  explicit GhostTable(SparseArray<Line> lines) : lines_(std::move(lines)) {}
  Line& LineOf(const BlockKey& key);
  // In units, at the time `now` in units.
  static uint32_t AgeOf(const Line& line, size_t way, uint32_t now);

  SparseArray<Line> lines_;
  uint64_t used_lines_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_GHOST_TABLE_H_
