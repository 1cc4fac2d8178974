// Which nodes hold which block, as they reported it: soft state, bounded in bytes, never trusted
// (the pin on the node is the truth). Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_PREFIX_INDEX_H_
#define CAIRN_SERVER_COORDINATOR_PREFIX_INDEX_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "proto/identity.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/placement.h"

namespace cairn {

class PrefixIndex {
 public:
  explicit PrefixIndex(uint64_t bytes_max) : entries_max_(bytes_max / kBytesPerEntry) {}

  // Forgets beyond bytes_max: the entries that came first go.
  void Add(TenantId tenant, const BlockKey& key, Place place);
  void Remove(TenantId tenant, const BlockKey& key, Place place);

  // A snapshot of one node: what is added until EndSnapshot replaces all that the node reported
  // before; meanwhile both answer.
  void BeginSnapshot(NodeSlot node);
  void EndSnapshot(NodeSlot node);
  // All that the node reported is forgotten at once: O(1), the entries go when they are met.
  void Forget(NodeSlot node);

  // The places of a tenant's block that are still believed; at most kPlacesMax. Another tenant's
  // block has none. Returns the count.
  static constexpr size_t kPlacesMax = 4;
  size_t Find(TenantId tenant, const BlockKey& key, std::array<Place, kPlacesMax>& places) const;

  size_t size() const { return entries_.size(); }
  uint64_t bytes() const { return entries_.size() * kBytesPerEntry; }
  uint64_t bytes_max() const { return entries_max_ * kBytesPerEntry; }
  // Blocks that the node reported and did not take back.
  uint64_t count_of(NodeSlot node) const;

 private:
  // Measured over a million entries: table at its load factor, plus the order of arrival.
  static constexpr uint64_t kBytesPerEntry = 96;

  struct Location {
    NodeSlot node = 0;
    uint8_t reactor = 0;
    uint8_t generation = 0;  // 0: empty
  };
  // Tenants do not displace each other's entries by using one key (P5).
  struct Block {
    TenantId tenant = 0;
    BlockKey key;

    friend bool operator==(const Block&, const Block&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Block& block) {
      return H::combine(std::move(state), block.tenant, block.key);
    }
  };
  using Locations = std::array<Location, kPlacesMax>;
  // A node's reports are numbered by generation, so that forgetting them is one increment.
  struct Generations {
    uint8_t oldest = 1;  // believed from here on
    uint8_t newest = 1;  // given to additions
    uint64_t count = 0;
    uint64_t count_in_snapshot = 0;
  };

  Generations& GenerationsOf(NodeSlot node);
  bool Believed(const Location& location) const;
  // Takes a location back and counts it.
  void Clear(Location& location);
  void MakeRoom();

  const uint64_t entries_max_;
  absl::flat_hash_map<Block, Locations> entries_;
  std::deque<Block> arrivals_;  // bounded: trimmed to twice the entries
  std::vector<Generations> generations_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_PREFIX_INDEX_H_
