#include "cache/key_table.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace cairn {
namespace {

constexpr uint32_t kIdMask = (1u << 24) - 1;
constexpr size_t kBatch = 16;  // enough misses in flight to fill a core's line-fill buffers

uint32_t Tag(const BlockKey& key) { return static_cast<uint32_t>(key.Word(1) >> 56) << 24; }
uint32_t Cell(const BlockKey& key, EntryId id) { return Tag(key) | (id + 1); }
EntryId IdOf(uint32_t cell) { return (cell & kIdMask) - 1; }

}  // namespace

absl::StatusOr<KeyTable> KeyTable::Create(uint32_t entries_max) {
  const size_t cells = size_t{entries_max} + entries_max / 4 + 16;
  CAIRN_ASSIGN_OR_RETURN(SparseArray<uint32_t> array, SparseArray<uint32_t>::Create(cells));
  return KeyTable(std::move(array));
}

uint64_t KeyTable::Home(const BlockKey& key) const {
  // The high word of the product maps the hash onto any size without a division (Lemire).
  return static_cast<uint64_t>((static_cast<unsigned __int128>(key.Word(0)) * cells_.size()) >> 64);
}

EntryId KeyTable::FindFrom(uint64_t cell, uint16_t scope, const BlockKey& key,
                           const SparseArray<Entry>& entries) const {
  const uint32_t tag = Tag(key);
  for (; cells_[cell] != 0; cell = After(cell)) {
    if ((cells_[cell] & ~kIdMask) != tag) continue;
    const EntryId id = IdOf(cells_[cell]);
    if (entries[id].key == key && entries[id].scope == scope) return id;
  }
  return kNoEntry;
}

EntryId KeyTable::Find(uint16_t scope, const BlockKey& key,
                       const SparseArray<Entry>& entries) const {
  return FindFrom(Home(key), scope, key, entries);
}

void KeyTable::FindBatch(uint16_t scope, absl::Span<const BlockKey> keys,
                         const SparseArray<Entry>& entries, absl::Span<EntryId> out) const {
  std::array<uint64_t, kBatch> home;
  for (size_t begin = 0; begin < keys.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, keys.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      home[i] = Home(keys[begin + i]);
      __builtin_prefetch(&cells_[home[i]]);
    }
    for (size_t i = 0; i < count; ++i) {
      const uint32_t tag = Tag(keys[begin + i]);
      uint64_t cell = home[i];
      while (cells_[cell] != 0 && (cells_[cell] & ~kIdMask) != tag) cell = After(cell);
      home[i] = cell;
      if (cells_[cell] != 0) __builtin_prefetch(&entries[IdOf(cells_[cell])]);
    }
    for (size_t i = 0; i < count; ++i) {
      out[begin + i] = FindFrom(home[i], scope, keys[begin + i], entries);
    }
  }
}

void KeyTable::Insert(const BlockKey& key, EntryId id) {
  uint64_t cell = Home(key);
  while (cells_[cell] != 0) cell = After(cell);
  cells_[cell] = Cell(key, id);
}

void KeyTable::Erase(const BlockKey& key, EntryId id, const SparseArray<Entry>& entries) {
  uint64_t hole = Home(key);
  const uint32_t wanted = Cell(key, id);
  while (cells_[hole] != wanted) {
    CAIRN_CHECK(cells_[hole] != 0);
    hole = After(hole);
  }
  // Moves what probing placed behind the hole into it, so that no probe ends too early.
  for (uint64_t cell = After(hole); cells_[cell] != 0; cell = After(cell)) {
    const uint64_t home = Home(entries[IdOf(cells_[cell])].key);
    const bool stays = hole <= cell ? (hole < home && home <= cell) : (hole < home || home <= cell);
    if (stays) continue;
    cells_[hole] = cells_[cell];
    hole = cell;
  }
  cells_[hole] = 0;
}

}  // namespace cairn
