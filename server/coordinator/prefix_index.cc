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

void PrefixIndex::Clear(const Block& block, Location& location) {
  if (Believed(location)) {
    if (listener_ != nullptr) {
      listener_->OnRemoved(block.tenant, block.key, static_cast<NodeSlot>(location.node),
                           static_cast<Tier>(location.tier));
    }
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
    for (Location& location : found->second.locations) Clear(oldest.block, location);
    entries_.erase(found);
  }
  if (arrivals_.size() <= 2 * entries_.size() + 1024) return;
  std::erase_if(arrivals_, [this](const Arrival& arrival) { return !Current(arrival); });
}

PrefixIndex::Location& PrefixIndex::FreeLocation(const Block& block, Entry& entry) {
  for (Location& location : entry.locations) {
    if (!Believed(location)) return location;
  }
  // All places are taken: the newest report is the likelier to last.
  Clear(block, entry.locations.back());
  return entry.locations.back();
}

void PrefixIndex::Add(TenantId tenant, const BlockKey& key, Place place, Tier tier) {
  Generations& generations = GenerationsOf(place.node);
  MakeRoom();
  const Block block = {tenant, key};
  const auto [found, inserted] = entries_.try_emplace(block);
  Entry& entry = found->second;
  if (inserted) {
    entry.arrival = next_arrival_++;
    arrivals_.push_back({block, entry.arrival});
  }
  const auto own = std::find_if(
      entry.locations.begin(), entry.locations.end(),
      [&](const Location& location) { return location.node == place.node && Believed(location); });
  const bool known = own != entry.locations.end();
  Location& location = known ? *own : FreeLocation(block, entry);
  const bool of_newest = known && location.generation == generations.newest;
  const bool told = of_newest && static_cast<Tier>(location.tier) == tier;
  location = {place.node, place.reactor, static_cast<uint32_t>(tier), generations.newest};
  if (!known) ++generations.count;
  if (!of_newest && generations.oldest != generations.newest) ++generations.count_in_snapshot;
  if (listener_ != nullptr && !told) listener_->OnStored(tenant, key, place.node, tier);
}

void PrefixIndex::Remove(TenantId tenant, const BlockKey& key, Place place) {
  const Block block = {tenant, key};
  const auto found = entries_.find(block);
  if (found == entries_.end()) return;
  bool empty = true;
  for (Location& location : found->second.locations) {
    if (location.node == place.node) Clear(block, location);
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
  if (listener_ != nullptr) listener_->OnNodeCleared(node);
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
  if (listener_ != nullptr) listener_->OnNodeCleared(node);
}

size_t PrefixIndex::Find(TenantId tenant, const BlockKey& key,
                         std::array<Copy, kCopiesMax>& copies) const {
  const auto found = entries_.find(Block{tenant, key});
  if (found == entries_.end()) return 0;
  size_t count = 0;
  for (const Location& location : found->second.locations) {
    if (!Believed(location)) continue;
    copies[count++] = {
        {static_cast<NodeSlot>(location.node), static_cast<uint8_t>(location.reactor)},
        static_cast<Tier>(location.tier)};
  }
  return count;
}

uint64_t PrefixIndex::count_of(NodeSlot node) const {
  return node < generations_.size() ? generations_[node].count : 0;
}

}  // namespace cairn
