#include "cache/admission/leaving_classes.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace cairn {

LeavingClass LeavingClassOf(const LeavingTraits& traits) {
  const auto octave = static_cast<size_t>(std::bit_width(std::max(traits.length, 1u)) - 1);
  const size_t length = std::min(octave, kLengthClasses - 1);
  const size_t index = ((traits.uses * kLengthClasses + length) * kOriginClasses +
                        static_cast<size_t>(traits.origin)) *
                           2 +
                       (traits.is_leaf ? 1 : 0);
  return static_cast<LeavingClass>(index + 1);
}

LeavingClasses::LeavingClasses() {
  // Until more is known, what was used again goes before what was not.
  std::iota(order_.rbegin(), order_.rend(), uint16_t{0});
}

void LeavingClasses::Left(LeavingClass cls, uint64_t bytes) {
  Sums& sums = sums_[cls - 1];
  sums.left += 1;
  sums.bytes += static_cast<double>(bytes);
  if (--until_fade_ == 0) Fade();
}

void LeavingClasses::Returned(LeavingClass cls) { sums_[cls - 1].returned += 1; }

void LeavingClasses::Fade() {
  until_fade_ = kBlocksPerFade;
  favoured_bytes_ /= 2;
  for (Sums& sums : sums_) sums = {sums.left / 2, sums.returned / 2, sums.bytes / 2};
}

double LeavingClasses::PartOf(LeavingClass cls, double share) {
  if (until_order_ == 0) Order();
  --until_order_;
  if (share >= 1) return 1;
  const Rank& rank = ranks_[cls - 1];
  const double left = share * ranked_bytes_ - rank.bytes_before;
  return left <= 0 ? 0 : std::min(left / rank.bytes, 1.0);
}

void LeavingClasses::Order() {
  // The first blocks teach most.
  order_interval_ = std::min(2 * order_interval_, kBlocksPerOrder);
  until_order_ = order_interval_;
  // Among equals the order stays as it was.
  std::array<std::pair<double, size_t>, kLeavingClasses> sorted;
  for (size_t i = 0; i < kLeavingClasses; ++i) sorted[i] = {-Chance(order_[i]), i};
  std::sort(sorted.begin(), sorted.end());
  const std::array<uint16_t, kLeavingClasses> before = order_;
  ranked_bytes_ = favoured_bytes_;
  for (size_t i = 0; i < kLeavingClasses; ++i) {
    order_[i] = before[sorted[i].second];
    const double bytes = sums_[order_[i]].bytes;
    ranks_[order_[i]] = {ranked_bytes_, bytes};
    ranked_bytes_ += bytes;
  }
}

}  // namespace cairn
