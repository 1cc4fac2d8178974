#include "tests/sim/watched_memory.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace cairn::sim {
namespace {

constexpr uint64_t kSpreadMax = 2;  // a laid-out block takes at most twice its bytes

}  // namespace

WatchedMemory::WatchedMemory(size_t slot_count, uint32_t block_bytes)
    : block_bytes_(block_bytes),
      slot_bytes_(kSpreadMax * block_bytes),
      bytes_(slot_count * slot_bytes_),
      slots_(slot_count) {
  for (SlotIndex slot = slot_count; slot-- > 0;) Release(slot);
}

std::optional<SlotIndex> WatchedMemory::Acquire(bool receives, Random& random) {
  if (free_.empty()) return std::nullopt;
  const SlotIndex slot = free_.back();
  free_.pop_back();
  slots_[slot].use = receives ? Use::kReceives : Use::kSends;
  Layout(slot, random);
  return slot;
}

void WatchedMemory::Layout(SlotIndex index, Random& random) {
  std::vector<Extents>& extents = slots_[index].extents;
  const uint64_t base = index * slot_bytes_;
  extents.clear();
  const uint32_t count = 1u << random.Below(4);
  const uint32_t piece = block_bytes_ / count;
  if (count == 1 || random.Below(2) == 0) {
    extents.push_back(
        {.base_bytes = base, .stride_bytes = 2 * piece, .count = count, .size_bytes = piece});
    return;
  }
  // Keys and values apart, as engines keep them: the second half of the pieces behind a gap.
  for (uint64_t half : {uint64_t{0}, slot_bytes_ / 2}) {
    extents.push_back({.base_bytes = base + half,
                       .stride_bytes = piece,
                       .count = count / 2,
                       .size_bytes = piece});
  }
}

template <typename Visit>
void WatchedMemory::ForEachPiece(SlotIndex slot, Visit visit) const {
  uint64_t block_offset = 0;
  for (const Extents& extent : slots_[slot].extents) {
    for (uint32_t i = 0; i < extent.count; ++i) {
      visit(extent.base_bytes + i * extent.stride_bytes, block_offset, extent.size_bytes);
      block_offset += extent.size_bytes;
    }
  }
  CAIRN_CHECK(block_offset == block_bytes_);
}

void WatchedMemory::Fill(SlotIndex slot, const Payload& payload) {
  ForEachPiece(slot, [&](uint64_t at, uint64_t block_offset, uint64_t size) {
    payload.Fill(block_offset, bytes().subspan(at, size));
  });
}

bool WatchedMemory::Holds(SlotIndex slot, const Payload& payload) const {
  bool holds = true;
  ForEachPiece(slot, [&](uint64_t at, uint64_t block_offset, uint64_t size) {
    holds = holds && payload.Fits(block_offset, absl::MakeConstSpan(bytes_).subspan(at, size));
  });
  return holds;
}

bool WatchedMemory::GapsIntact(SlotIndex slot) const {
  uint64_t end_of_last = slot * slot_bytes_;
  bool intact = true;
  ForEachPiece(slot, [&](uint64_t at, uint64_t, uint64_t size) {
    intact = intact && HoldsPattern(end_of_last, at, slots_[slot].pattern);
    end_of_last = at + size;
  });
  return intact && HoldsPattern(end_of_last, (slot + 1) * slot_bytes_, slots_[slot].pattern);
}

void WatchedMemory::Release(SlotIndex index) {
  Slot& slot = slots_[index];
  slot.use = Use::kFree;
  slot.pattern = static_cast<std::byte>(++next_pattern_);
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(index * slot_bytes_), slot_bytes_,
              slot.pattern);
  free_.push_back(index);
}

void WatchedMemory::ReleaseAll() {
  for (SlotIndex slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].use != Use::kFree) Release(slot);
  }
}

bool WatchedMemory::MayLand(absl::Span<const std::byte> destination) const {
  const std::byte* const begin = bytes_.data();
  if (destination.data() + destination.size() <= begin) return true;
  if (destination.data() >= begin + bytes_.size()) return true;
  const uint64_t first = static_cast<uint64_t>(destination.data() - begin) / slot_bytes_;
  const uint64_t last =
      static_cast<uint64_t>(destination.data() + destination.size() - 1 - begin) / slot_bytes_;
  return first == last && slots_[first].use == Use::kReceives;
}

bool WatchedMemory::HoldsPattern(uint64_t begin, uint64_t end, std::byte pattern) const {
  if (begin == end) return true;
  const std::byte* const first = bytes_.data() + begin;
  // Each byte equals the one after it; memcmp looks at 32 of them at a time.
  return *first == pattern && std::memcmp(first, first + 1, end - begin - 1) == 0;
}

bool WatchedMemory::PatternsIntact() const {
  for (SlotIndex slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].use != Use::kFree) continue;
    if (!HoldsPattern(slot * slot_bytes_, (slot + 1) * slot_bytes_, slots_[slot].pattern)) {
      return false;
    }
  }
  return true;
}

}  // namespace cairn::sim
