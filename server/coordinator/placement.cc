#include "server/coordinator/placement.h"

#include <cmath>

namespace cairn {
namespace {

// The finalizer of MurmurHash3: keys and ids are uniform already, this only mixes the two.
uint64_t Mix(uint64_t word) {
  word ^= word >> 33;
  word *= 0xff51afd7ed558ccdu;
  word ^= word >> 33;
  word *= 0xc4ceb9fe1a85ec53u;
  return word ^ (word >> 33);
}

// Highest wins. -weight / ln(u) with u uniform in (0, 1) gives each node its share of the weight
// (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005).
double Score(const BlockKey& run_key, const Member& member) {
  const uint64_t hash = Mix(run_key.Word(0) ^ Mix(member.id.Word(0) ^ Mix(member.id.Word(1))));
  const double u = (static_cast<double>(hash >> 11) + 0.5) * 0x1.0p-53;
  return -static_cast<double>(member.capacity_bytes) / std::log(u);
}

}  // namespace

bool CanServe(Place place, const Membership& members) {
  const Member& member = members.member(place.node);
  return member.ready() && place.reactor < member.reactor_addresses.size();
}

std::optional<Place> PlaceRun(const BlockKey& run_key, const Membership& members) {
  std::optional<Place> best;
  double best_score = 0;
  for (size_t slot = 0; slot < members.size(); ++slot) {
    const Member& member = members.member(static_cast<NodeSlot>(slot));
    if (!member.ready()) continue;
    const double score = Score(run_key, member);
    if (best.has_value() && score <= best_score) continue;
    best_score = score;
    const uint64_t reactor = Mix(run_key.Word(1)) % member.reactor_addresses.size();
    best = Place{static_cast<NodeSlot>(slot), static_cast<uint8_t>(reactor)};
  }
  return best;
}

}  // namespace cairn
