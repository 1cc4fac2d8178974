// Where blocks were last known to be. A hint: the node's answer is the truth. Bounded: two
// generations, of which the older goes when the newer is full.
#ifndef CAIRN_CLIENT_LOCATION_CACHE_H_
#define CAIRN_CLIENT_LOCATION_CACHE_H_

#include <cstdint>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "proto/identity.h"

namespace cairn {

using LinkIndex = uint32_t;

class LocationCache {
 public:
  explicit LocationCache(size_t entries_max) : half_(entries_max / 2) {
    newer_.reserve(half_);
    older_.reserve(half_);
  }

  void Learn(const BlockKey& key, LinkIndex link) {
    if (newer_.size() >= half_ && !newer_.contains(key)) {
      std::swap(newer_, older_);
      newer_.clear();
    }
    newer_[key] = link;
  }
  std::optional<LinkIndex> Find(const BlockKey& key) const {
    if (const auto found = newer_.find(key); found != newer_.end()) return found->second;
    if (const auto found = older_.find(key); found != older_.end()) return found->second;
    return std::nullopt;
  }
  void Forget(const BlockKey& key) {
    newer_.erase(key);
    older_.erase(key);
  }

 private:
  const size_t half_;
  absl::flat_hash_map<BlockKey, LinkIndex> newer_;
  absl::flat_hash_map<BlockKey, LinkIndex> older_;
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_LOCATION_CACHE_H_
