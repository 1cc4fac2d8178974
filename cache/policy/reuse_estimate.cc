#include "cache/policy/reuse_estimate.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr int kMovesMax = 4;  // per reference, when the room changed

}  // namespace

ReuseEstimate::ReuseEstimate() : slots_(kKeysMax) {
  free_.reserve(kKeysMax);
  for (uint32_t slot = kKeysMax; slot > 0; --slot) free_.push_back(static_cast<uint16_t>(slot - 1));
  index_.reserve(4 * kKeysMax);  // so roomy that it never grows
}

// Before the tier is full there is nothing to compare: all keys count as recent.
uint32_t ReuseEstimate::Limit(size_t band) const {
  if (room_ == 0) return band == 0 ? kKeysMax : 0;
  const auto sampled = static_cast<uint32_t>(std::max<uint64_t>(2, room_ >> shift_));
  const uint32_t half = sampled / 2;
  return band == 0 ? half : band == 1 ? sampled - half : sampled;
}

void ReuseEstimate::Count(size_t band) {
  if (room_ == 0) return;
  const uint64_t weight = uint64_t{1} << shift_;
  figures_.references.Add(weight);
  if (band <= 0) figures_.hits_half.Add(weight);
  if (band <= 1) figures_.hits_same.Add(weight);
  if (band <= 2) figures_.hits_twice.Add(weight);
}

void ReuseEstimate::PushNewest(size_t band, uint16_t slot) {
  Band& to = bands_[band];
  slots_[slot].band = static_cast<uint16_t>(band);
  slots_[slot].newer = kNone;
  slots_[slot].older = to.newest;
  (to.newest == kNone ? to.oldest : slots_[to.newest].newer) = slot;
  to.newest = slot;
  ++to.size;
}

void ReuseEstimate::PushOldest(size_t band, uint16_t slot) {
  Band& to = bands_[band];
  slots_[slot].band = static_cast<uint16_t>(band);
  slots_[slot].older = kNone;
  slots_[slot].newer = to.oldest;
  (to.oldest == kNone ? to.newest : slots_[to.oldest].older) = slot;
  to.oldest = slot;
  ++to.size;
}

void ReuseEstimate::Unlink(uint16_t slot) {
  const Slot& gone = slots_[slot];
  Band& from = bands_[gone.band];
  (gone.newer == kNone ? from.newest : slots_[gone.newer].older) = gone.older;
  (gone.older == kNone ? from.oldest : slots_[gone.older].newer) = gone.newer;
  --from.size;
}

void ReuseEstimate::Forget(uint16_t slot) {
  Unlink(slot);
  index_.erase(slots_[slot].hash);
  free_.push_back(slot);
}

// Moves what is at the edges between bands, few at a time.
void ReuseEstimate::Balance() {
  for (size_t band = 0; band < kBands; ++band) {
    for (int move = 0; move < kMovesMax && bands_[band].size > Limit(band); ++move) {
      const uint16_t slot = bands_[band].oldest;
      if (band + 1 == kBands) {
        Forget(slot);
        continue;
      }
      Unlink(slot);
      PushNewest(band + 1, slot);
    }
    if (band + 1 == kBands) break;
    for (int move = 0; move < kMovesMax && bands_[band].size < Limit(band); ++move) {
      const uint16_t slot = bands_[band + 1].newest;
      if (slot == kNone) break;
      Unlink(slot);
      PushOldest(band, slot);
    }
  }
}

void ReuseEstimate::HalveSample() {
  ++shift_;
  for (uint16_t slot = 0; slot < kKeysMax; ++slot) {
    const auto found = index_.find(slots_[slot].hash);
    if (found != index_.end() && found->second == slot && !Sampled(slots_[slot].hash)) Forget(slot);
  }
}

uint16_t ReuseEstimate::TakeSlot() {
  while (free_.empty()) HalveSample();
  const uint16_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void ReuseEstimate::Reference(uint64_t hash) {
  if (!Sampled(hash)) return;
  const auto found = index_.find(hash);
  uint16_t slot;
  if (found != index_.end()) {
    slot = found->second;
    Count(slots_[slot].band);
    Unlink(slot);
  } else {
    Count(kBands);
    slot = TakeSlot();
    if (!Sampled(hash)) return free_.push_back(slot);
    slots_[slot].hash = hash;
    index_.emplace(hash, slot);
  }
  PushNewest(0, slot);
  Balance();
}

void ReuseEstimate::SetRoom(uint64_t blocks) {
  room_ = blocks;
  // Half of the keys are for twice the room.
  while ((room_ >> shift_) > kKeysMax / 2) HalveSample();
}

}  // namespace cairn
