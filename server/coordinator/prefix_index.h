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

enum class Tier : uint8_t { kDram, kNvme };  // kNvme: on a drive alone

struct Copy {
  Place place;
  Tier tier = Tier::kDram;

  friend bool operator==(const Copy&, const Copy&) = default;
};

// Hears what the index begins and ceases to believe. A node's clearing stands for the removal of
// all that it held; what the node still has is stored again behind it.
class IndexListener {
 public:
  virtual ~IndexListener() = default;
  virtual void OnStored(TenantId tenant, const BlockKey& key, NodeSlot node, Tier tier) = 0;
  virtual void OnRemoved(TenantId tenant, const BlockKey& key, NodeSlot node, Tier tier) = 0;
  virtual void OnNodeCleared(NodeSlot node) = 0;
};

class PrefixIndex {
 public:
  // listener, if any, outlives the index.
  explicit PrefixIndex(uint64_t bytes_max, IndexListener* listener = nullptr)
      : entries_max_(bytes_max / kBytesPerEntry), listener_(listener) {}

  // Forgets beyond bytes_max: the entries that came first go.
  void Add(TenantId tenant, const BlockKey& key, Place place, Tier tier = Tier::kDram);
  void Remove(TenantId tenant, const BlockKey& key, Place place);

  // A snapshot of one node: what is added until EndSnapshot replaces all that the node reported
  // before; meanwhile both answer.
  void BeginSnapshot(NodeSlot node);
  void EndSnapshot(NodeSlot node);
  // All that the node reported is forgotten at once: O(1), the entries go when they are met; once
  // in 2,046 times O(entries).
  void Forget(NodeSlot node);

  // The copies of a tenant's block that are still believed; at most kCopiesMax. Another tenant's
  // block has none. Returns the count.
  static constexpr size_t kCopiesMax = 4;
  size_t Find(TenantId tenant, const BlockKey& key, std::array<Copy, kCopiesMax>& copies) const;

  size_t size() const { return entries_.size(); }
  uint64_t bytes() const { return entries_.size() * kBytesPerEntry; }
  uint64_t bytes_max() const { return entries_max_ * kBytesPerEntry; }
  // Blocks that the node reported and did not take back.
  uint64_t count_of(NodeSlot node) const;

 private:
  // Measured over a million entries: table at its load factor, plus the order of arrival.
  static constexpr uint64_t kBytesPerEntry = 112;

  struct Location {
    uint32_t node : 12 = 0;
    uint32_t reactor : 8 = 0;
    uint32_t tier : 1 = 0;
    uint32_t generation : 11 = 0;  // 0: empty
  };
  static_assert(sizeof(Location) == 4 && kNodesMax <= 1u << 12 && kReactorsPerNodeMax <= 1u << 8);
  static constexpr uint16_t kGenerationMax = (1u << 11) - 1;
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
  struct Entry {
    std::array<Location, kCopiesMax> locations;
    uint32_t arrival = 0;
  };
  // An entry that went and came again has a later arrival; only its last one counts.
  struct Arrival {
    Block block;
    uint32_t number = 0;
  };
  // A node's reports are numbered by generation, so that forgetting them is one increment.
  struct Generations {
    uint16_t oldest = 1;  // believed from here on
    uint16_t newest = 1;  // given to additions
    uint64_t count = 0;
    uint64_t count_in_snapshot = 0;
  };

  Generations& GenerationsOf(NodeSlot node);
  bool Believed(const Location& location) const;
  // Gives the next additions a generation of their own.
  void BeginGeneration(NodeSlot node);
  // Takes a location of the block back, and counts and tells it.
  void Clear(const Block& block, Location& location);
  // One that holds nothing, if need be by taking a copy back.
  Location& FreeLocation(const Block& block, Entry& entry);
  bool Current(const Arrival& arrival) const;
  void MakeRoom();

  const uint64_t entries_max_;
  IndexListener* const listener_;
  absl::flat_hash_map<Block, Entry> entries_;
  std::deque<Arrival> arrivals_;  // bounded: trimmed to the entries when more than twice as many
  uint32_t next_arrival_ = 0;     // wraps long after arrivals_ has forgotten the number
  std::vector<Generations> generations_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_PREFIX_INDEX_H_
