#include "server/coordinator/prefix_index.h"

#include <algorithm>

#include "base/check.h"

namespace cairn {

PrefixIndex::Generations& PrefixIndex::GenerationsOf(NodeSlot node) {
  if (node >= generations_.size()) generations_.resize(node + 1);
  return generations_[node];
}

bool PrefixIndex::Believed(const Location& location) const {
  if (location.generation == 0 || location.node >= generations_.size()) return false;
  const Generations& generations = generations_[location.node];
  return location.generation == generations.oldest || location.generation == generations.newest;
}

void PrefixIndex::BeginGeneration(NodeSlot node) {
  Generations& generations = GenerationsOf(node);
  if (generations.newest < kGenerationMax) {
    ++generations.newest;
    return;
  }
  // The numbers begin again, so nothing may bear an old one. The last whole snapshot gets the
  // first.
  for (auto& [block, entry] : entries_) {
    for (Location& location : entry.locations) {
      if (location.generation == 0 || location.node != node) continue;
      location.generation = location.generation == generations.oldest ? 1 : 0;
    }
  }
  generations.oldest = 1;
  generations.newest = 2;
}

void PrefixIndex::Clear(Location& location) {
  if (Believed(location)) {
    Generations& generations = generations_[location.node];
    --generations.count;
    const bool in_snapshot = generations.oldest != generations.newest;
    if (in_snapshot && location.generation == generations.newest) --generations.count_in_snapshot;
  }
  location = {};
}

bool PrefixIndex::Current(const Arrival& arrival) const {
  const auto found = entries_.find(arrival.block);
  return found != entries_.end() && found->second.arrival == arrival.number;
}

void PrefixIndex::MakeRoom() {
  while (entries_.size() >= entries_max_ && !arrivals_.empty()) {
    const Arrival oldest = arrivals_.front();
    arrivals_.pop_front();
    if (!Current(oldest)) continue;
    const auto found = entries_.find(oldest.block);
    for (Location& location : found->second.locations) Clear(location);
    entries_.erase(found);
  }
  if (arrivals_.size() <= 2 * entries_.size() + 1024) return;
  std::erase_if(arrivals_, [this](const Arrival& arrival) { return !Current(arrival); });
}

void PrefixIndex::Add(TenantId tenant, const BlockKey& key, Place place) {
  Generations& generations = GenerationsOf(place.node);
  MakeRoom();
  const Block block = {tenant, key};
  const auto [found, inserted] = entries_.try_emplace(block);
  Entry& entry = found->second;
  if (inserted) {
    entry.arrival = next_arrival_++;
    arrivals_.push_back({block, entry.arrival});
  }
  Location* free_slot = nullptr;
  for (Location& location : entry.locations) {
    if (location.generation != 0 && location.node == place.node && Believed(location)) {
      if (location.generation != generations.newest) ++generations.count_in_snapshot;
      location = {place.node, place.reactor, generations.newest};
      return;
    }
    if (free_slot == nullptr && !Believed(location)) free_slot = &location;
  }
  // All places are taken: the newest report is the likelier to last.
  if (free_slot == nullptr) {
    free_slot = &entry.locations.back();
    Clear(*free_slot);
  }
  *free_slot = {place.node, place.reactor, generations.newest};
  ++generations.count;
  if (generations.oldest != generations.newest) ++generations.count_in_snapshot;
}

void PrefixIndex::Remove(TenantId tenant, const BlockKey& key, Place place) {
  const auto found = entries_.find(Block{tenant, key});
  if (found == entries_.end()) return;
  bool empty = true;
  for (Location& location : found->second.locations) {
    if (location.node == place.node) Clear(location);
    empty = empty && !Believed(location);
  }
  if (empty) entries_.erase(found);
}

void PrefixIndex::BeginSnapshot(NodeSlot node) {
  Generations& generations = GenerationsOf(node);
  // A snapshot that never ended is given up: only the last whole one and this one answer.
  if (generations.newest != generations.oldest) {
    generations.count -= generations.count_in_snapshot;
  }
  BeginGeneration(node);
  generations.count_in_snapshot = 0;
}

void PrefixIndex::EndSnapshot(NodeSlot node) {
  Generations& generations = GenerationsOf(node);
  if (generations.newest == generations.oldest) return;
  generations.oldest = generations.newest;
  generations.count = generations.count_in_snapshot;
  generations.count_in_snapshot = 0;
}

void PrefixIndex::Forget(NodeSlot node) {
  Generations& generations = GenerationsOf(node);
  BeginGeneration(node);
  generations.oldest = generations.newest;
  generations.count = 0;
  generations.count_in_snapshot = 0;
}

size_t PrefixIndex::Find(TenantId tenant, const BlockKey& key,
                         std::array<Place, kPlacesMax>& places) const {
  const auto found = entries_.find(Block{tenant, key});
  if (found == entries_.end()) return 0;
  size_t count = 0;
  for (const Location& location : found->second.locations) {
    if (!Believed(location)) continue;
    places[count++] = {static_cast<NodeSlot>(location.node),
                       static_cast<uint8_t>(location.reactor)};
  }
  return count;
}

uint64_t PrefixIndex::count_of(NodeSlot node) const {
  return node < generations_.size() ? generations_[node].count : 0;
}

}  // namespace cairn
