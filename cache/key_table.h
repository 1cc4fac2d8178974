// (Scope, key) -> entry: a key that two tenants use names two blocks, which know nothing of each
// other (P5). Open addressing with linear probing over 4-byte cells (24 bits of entry, 8 of tag)
// at a load of at most 0.8. Keys are uniformly distributed, so their own bits are the hash. Fixed
// size: no rehash, ever.
#ifndef CAIRN_CACHE_KEY_TABLE_H_
#define CAIRN_CACHE_KEY_TABLE_H_

#include <cstdint>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "cache/entry.h"
#include "cache/sparse_array.h"

namespace cairn {

class KeyTable {
 public:
  static absl::StatusOr<KeyTable> Create(uint32_t entries_max);

  // The entry of `key` in `scope`, or kNoEntry. entries: where the ids point.
  EntryId Find(uint16_t scope, const BlockKey& key, const SparseArray<Entry>& entries) const;
  // The same for many, hiding the memory's latency by prefetching.
  void FindBatch(uint16_t scope, absl::Span<const BlockKey> keys, const SparseArray<Entry>& entries,
                 absl::Span<EntryId> out) const;
  // The key is absent in the scope of entry `id`.
  void Insert(const BlockKey& key, EntryId id);
  // The key is present with this id.
  void Erase(const BlockKey& key, EntryId id, const SparseArray<Entry>& entries);

 private:
  // Empty is 0, so that untouched pages are empty cells: ids are stored plus one.
  explicit KeyTable(SparseArray<uint32_t> cells) : cells_(std::move(cells)) {}
  uint64_t Home(const BlockKey& key) const;
  uint64_t After(uint64_t cell) const { return cell + 1 == cells_.size() ? 0 : cell + 1; }
  EntryId FindFrom(uint64_t cell, uint16_t scope, const BlockKey& key,
                   const SparseArray<Entry>& entries) const;

  SparseArray<uint32_t> cells_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_KEY_TABLE_H_
