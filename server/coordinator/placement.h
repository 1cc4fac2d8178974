// Where a new run goes: weighted rendezvous hashing over the ready nodes. The same members give the
// same answer on every coordinator, and a change of members moves only the runs it must.
#ifndef CAIRN_SERVER_COORDINATOR_PLACEMENT_H_
#define CAIRN_SERVER_COORDINATOR_PLACEMENT_H_

#include <cstdint>
#include <optional>

#include "proto/identity.h"
#include "server/coordinator/membership.h"

namespace cairn {

struct Place {
  NodeSlot node = 0;
  uint8_t reactor = 0;

  friend bool operator==(const Place&, const Place&) = default;
};

// Whether the place's node takes requests and has the reactor.
bool CanServe(Place place, const Membership& members);

// run_key: of the run's first block. nullopt: no node is ready. O(nodes).
std::optional<Place> PlaceRun(const BlockKey& run_key, const Membership& members);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_PLACEMENT_H_
