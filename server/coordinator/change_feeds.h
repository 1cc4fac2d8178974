// The changes of the index, numbered per tenant, for those who watch. A tenant's numbers tell
// nothing of other tenants (P5). A feed exists from a tenant's first watch until nobody has watched
// for a while; tenants that nobody watches cost nothing. Not thread-safe: the coordinator's mutex
// covers it.
#ifndef CAIRN_SERVER_COORDINATOR_CHANGE_FEEDS_H_
#define CAIRN_SERVER_COORDINATOR_CHANGE_FEEDS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "base/random.h"
#include "proto/identity.h"
#include "proto/inventory.h"
#include "server/coordinator/prefix_index.h"

namespace cairn {

struct IndexChange {
  enum class Kind : uint8_t { kStored, kRemoved, kNodeCleared };

  BlockKey key;  // none with kNodeCleared
  NodeSlot node = 0;
  Tier tier = Tier::kDram;
  Kind kind = Kind::kStored;

  friend bool operator==(const IndexChange&, const IndexChange&) = default;
};

// A feed of most changes takes 6 MiB, all feeds 192 MiB.
struct ChangeFeedsLimits {
  // Per feed; a watcher that is further behind is too slow. A few whole reports, for one report is
  // applied in one go.
  size_t changes_max = 4 * kInventoryChangesMax;
  size_t feeds_max = 32;
  size_t watchers_max = 8;                     // per tenant
  absl::Duration keep_for = absl::Minutes(1);  // without a watcher: time to come back without a gap
};

class ChangeFeeds final : public IndexListener {
 public:
  // The number of a tenant's change. Numbers begin at 1 in every epoch.
  struct Position {
    uint64_t epoch = 0;  // of the feed, random; never 0
    uint64_t sequence = 0;

    friend bool operator==(const Position&, const Position&) = default;
  };
  struct Opened {
    Position position;
    bool gap = false;  // changes behind the wanted position are lost
  };

  ChangeFeeds(Random& random, Clock& clock, const ChangeFeedsLimits& limits = {})
      : random_(random), clock_(clock), limits_(limits) {}

  void OnStored(TenantId tenant, const BlockKey& key, NodeSlot node, Tier tier) override;
  void OnRemoved(TenantId tenant, const BlockKey& key, NodeSlot node, Tier tier) override;
  void OnNodeCleared(NodeSlot node) override;

  // Begins a watch behind `wanted`, or behind the newest change when that is not known any more.
  // Every success needs a Close. kResourceExhausted: feeds_max or watchers_max.
  absl::StatusOr<Opened> Open(TenantId tenant, Position wanted);
  void Close(TenantId tenant);
  // Up to `max` changes behind *position, which moves on. kResourceExhausted: they are not kept any
  // more, the watcher is too slow. The tenant's feed must be open.
  absl::StatusOr<std::vector<IndexChange>> Read(TenantId tenant, Position* position,
                                                size_t max) const;
  // Of the tenant's last change; zeros: nobody watches.
  Position newest(TenantId tenant) const;

  // Drops the feeds that nobody came back to.
  void Step();
  size_t watchers() const { return watchers_; }

 private:
  struct Feed {
    uint64_t epoch = 0;
    uint64_t newest = 0;
    std::deque<IndexChange> changes;  // numbers newest - size + 1 to newest
    size_t watchers = 0;
    Instant left;  // when the last watcher did
  };

  void Append(TenantId tenant, const IndexChange& change);
  void Append(Feed& feed, const IndexChange& change);

  Random& random_;
  Clock& clock_;
  const ChangeFeedsLimits limits_;
  absl::flat_hash_map<TenantId, Feed> feeds_;
  size_t watchers_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_CHANGE_FEEDS_H_
