// An engine's memory, cut into slots, with the oracle of P6: a slot that no transfer owns holds a
// pattern, and nobody ever writes into it.
#ifndef CAIRN_TESTS_SIM_WATCHED_MEMORY_H_
#define CAIRN_TESTS_SIM_WATCHED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <absl/types/span.h>

#include "base/random.h"
#include "client/client.h"
#include "tests/sim/payload.h"

namespace cairn::sim {

using SlotIndex = size_t;

class WatchedMemory {
 public:
  // Slots hold one block of block_bytes each, with gaps between its pieces.
  WatchedMemory(size_t slot_count, uint32_t block_bytes);

  absl::Span<std::byte> bytes() { return absl::MakeSpan(bytes_); }
  size_t free_count() const { return free_.size(); }

  // A free slot, laid out in pieces as an engine would: one, or several a stride apart. nullopt:
  // none is free. Until Release its pieces may be written if `receives`.
  std::optional<SlotIndex> Acquire(bool receives, Random& random);
  absl::Span<const Extents> extents(SlotIndex slot) const { return slots_[slot].extents; }
  void Fill(SlotIndex slot, const Payload& payload);
  bool Holds(SlotIndex slot, const Payload& payload) const;
  // False: bytes between or behind the pieces changed.
  bool GapsIntact(SlotIndex slot) const;
  // The engine reuses the slot at once: it is filled with a pattern.
  void Release(SlotIndex slot);
  // Every slot is the engine's again, whatever was in flight: its client is gone.
  void ReleaseAll();

  // False: a lane writes into memory of ours that no receiving transfer owns.
  bool MayLand(absl::Span<const std::byte> destination) const;
  // False: a free slot's pattern changed.
  bool PatternsIntact() const;

 private:
  enum class Use { kFree, kSends, kReceives };
  struct Slot {
    Use use = Use::kFree;
    std::byte pattern{};
    std::vector<Extents> extents;
  };
  template <typename Visit>  // Visit(memory offset, block offset, size)
  void ForEachPiece(SlotIndex slot, Visit visit) const;
  void Layout(SlotIndex slot, Random& random);
  bool HoldsPattern(uint64_t begin, uint64_t end, std::byte pattern) const;

  const uint32_t block_bytes_;
  const uint64_t slot_bytes_;
  std::vector<std::byte> bytes_;
  std::vector<Slot> slots_;
  std::vector<SlotIndex> free_;
  uint8_t next_pattern_ = 0;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_WATCHED_MEMORY_H_
