#include "cache/policy/return_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cairn {
namespace {

// What is believed before anything was seen: so many touches of which so many return, after so
// long. Weighs as much as 20 touches of the category's own.
constexpr double kPriorTouches = 20;
constexpr double kPriorReturns = 2;
constexpr double kPriorReturnsHinted = 16;  // will return
// Others are believed to return so much less often than what has no hint and the same touches,
// whatever that is: a constant would keep them longest where hardly anything returns.
constexpr double kPartOfOthers[] = {1, 1, 0.1, 0.5};  // none, will return, one-off, low priority
constexpr double kPriorMean = 300;
constexpr double kPriorMeanWeight = 2;
constexpr double kShareMax = 0.99;
constexpr double kMeanMin = 0.001;
constexpr double kHorizonGain = 1.0 / 1024;

// Returns are even below this squared coefficient of variation, that is, where their times deviate
// by less than half of their mean. That of an exponential is 1.
constexpr double kEvenVariation = 0.25;

constexpr size_t kWillReturnHint = 1;

constexpr bool FollowsOthers(size_t hint) { return kPartOfOthers[hint] < 1; }

// The k-th point of a curve stands at this age in seconds.
double AgeOfPoint(size_t k, size_t per_octave) {
  const double octave = std::ldexp(1.0, static_cast<int>(k / per_octave));
  const double part = static_cast<double>(k % per_octave) / static_cast<double>(per_octave);
  return octave * (1 + part) - 1;
}

}  // namespace

size_t ReturnCategory(uint32_t count, bool mark, uint32_t hint) {
  size_t rank = mark ? 0 : 1;
  if (count > 1) {
    rank = std::min<size_t>(1 + std::bit_width(count - 1), 1 + kCountClasses);
    if (mark) rank += kCountClasses;
  }
  return hint * kReturnClasses + rank;
}

ReturnModel::ReturnModel() {
  known_.fill(0);
  due_.fill(0);
  for (size_t category = 0; category < kReturnCategories; ++category) {
    const size_t hint = category / kReturnClasses;
    const double returns = hint == kWillReturnHint ? kPriorReturnsHinted : kPriorReturns;
    const double share = kPartOfOthers[hint] * returns / kPriorTouches;
    together_[category] = category;
    estimates_[category] = {share, kPriorMean, 0.5, kPriorMean, kPriorMean};
  }
  DrawCurves();
}

void ReturnModel::BeginCohort(int64_t now_ms) {
  Cohort& cohort = cohorts_[++newest_ % kCohorts];
  cohort.begun_ms = now_ms;
  cohort.tallies.fill(Tally{});
  touches_ = 0;
}

ReturnModel::Cohort& ReturnModel::CohortOf(int64_t at_ms) {
  // Begin times rise from the oldest to the newest; most returns are recent.
  uint64_t low = newest_ >= kCohorts ? newest_ - kCohorts + 1 : 0;
  uint64_t high = newest_;
  while (low < high) {
    const uint64_t middle = (low + high + 1) / 2;
    if (cohorts_[middle % kCohorts].begun_ms <= at_ms) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return cohorts_[low % kCohorts];
}

void ReturnModel::Touched(size_t category, int64_t now_ms, uint64_t resident) {
  if (touches_ >= std::max(kCohortTouchesMin, resident / kCohortsPerRoom)) BeginCohort(now_ms);
  cohorts_[newest_ % kCohorts].tallies[category].touched += 1;
  ++touches_;
  if (touches_until_fit_-- == 0) {
    Fit(now_ms);
    touches_until_fit_ = kTouchesPerFit;
  }
}

void ReturnModel::Returned(size_t category, int64_t then_ms, int64_t now_ms) {
  Cohort& cohort = CohortOf(then_ms);
  if (then_ms < cohort.begun_ms) return;  // before the window
  Tally& tally = cohort.tallies[category];
  const auto elapsed_ms = static_cast<double>(now_ms - then_ms);
  tally.returned += 1;
  tally.sum_ms += elapsed_ms;
  tally.squares += elapsed_ms * elapsed_ms;
}

void ReturnModel::Forgotten(int64_t age_ms) {
  const auto age = static_cast<double>(age_ms);
  horizon_ms_ = std::isinf(horizon_ms_) ? age : horizon_ms_ + (age - horizon_ms_) * kHorizonGain;
}

bool ReturnModel::LongAgo(int64_t then_ms) const {
  if (newest_ < kCohortsPerRoom) return false;
  return then_ms < cohorts_[(newest_ - kCohortsPerRoom) % kCohorts].begun_ms;
}

void ReturnModel::Add(const Tally& more, Tally* to) {
  to->touched += more.touched;
  to->returned += more.returned;
  to->sum_ms += more.sum_ms;
  to->squares += more.squares;
}

ReturnModel::Tally ReturnModel::TallyOf(const Cohort& cohort, size_t category) const {
  Tally tally = cohort.tallies[category];
  const size_t other = together_[category];
  if (other != category) Add(cohort.tallies[other], &tally);
  return tally;
}

ReturnModel::Tally ReturnModel::Total(size_t category) const {
  Tally total;
  for (const Cohort& cohort : cohorts_) Add(TallyOf(cohort, category), &total);
  return total;
}

double ReturnModel::Variation(const Tally& total, double prior_mean) {
  const double returns = total.returned + kPriorMeanWeight;
  const double mean = (Seconds(total.sum_ms) + kPriorMeanWeight * prior_mean) / returns;
  const double squares =
      (Seconds(Seconds(total.squares)) + kPriorMeanWeight * 2 * prior_mean * prior_mean) / returns;
  return squares / (mean * mean) - 1;
}

// What returns evenly after a long rest is read round and round: a load of its own. Else the rest
// before says too little of the next one to learn from fewer returns for it.
void ReturnModel::Part() {
  for (size_t category = 0; category < kReturnCategories; ++category) {
    const size_t rank = category % kReturnClasses;
    if (rank < 2 + kCountClasses) continue;
    const size_t other = category - kCountClasses;
    together_[category] = category;
    const bool apart = Variation(Total(category), kPriorMean) < kEvenVariation;
    together_[category] = apart ? category : other;
    together_[other] = apart ? other : category;
  }
}

// Two exponentials of balanced means with the measured coefficient of variation.
void ReturnModel::Spread(size_t category, const Tally& total, double prior_mean) {
  Estimate& estimate = estimates_[category];
  const double variation = Variation(total, prior_mean);
  const bool even = total.returned > 0 && variation < kEvenVariation;
  due_[category] = even ? estimate.mean * (1 + 2 * std::sqrt(std::max(0.0, variation))) : 0;
  estimate.weight = 0.5;
  if (variation > 1) estimate.weight += 0.5 * std::sqrt((variation - 1) / (variation + 1));
  estimate.fast_mean = estimate.mean / (2 * estimate.weight);
  estimate.slow_mean = estimate.mean / (2 * (1 - estimate.weight));
}

// One step of expectation maximisation from the last estimate on.
void ReturnModel::FitCategory(size_t category, const Tally& total, int64_t now_ms) {
  Estimate& estimate = estimates_[category];
  double coming = 0;       // of those that wait
  double coming_time = 0;  // from their touch to their expected return
  const uint64_t oldest = newest_ >= kCohorts ? newest_ - kCohorts + 1 : 0;
  int64_t ended_ms = now_ms;
  for (uint64_t i = newest_ + 1; i > oldest; --i) {
    const Cohort& cohort = cohorts_[(i - 1) % kCohorts];
    const double middle_ms = 0.5 * static_cast<double>(cohort.begun_ms + ended_ms);
    // How long they were watched.
    const double age = Seconds(std::min(static_cast<double>(now_ms) - middle_ms, horizon_ms_));
    ended_ms = cohort.begun_ms;
    const Tally tally = TallyOf(cohort, category);
    const double waiting = tally.touched - tally.returned;
    if (waiting <= 0) continue;
    const double rest = estimate.share * std::exp(-age / estimate.mean);
    const double share = rest / (1 - estimate.share + rest);
    coming += waiting * share;
    coming_time += waiting * share * (age + estimate.mean);
  }
  const size_t hint = category / kReturnClasses;
  double prior = hint == kWillReturnHint ? kPriorReturnsHinted : kPriorReturns;
  double prior_mean = kPriorMean;
  if (FollowsOthers(hint)) {
    const Estimate& others = estimates_[category % kReturnClasses];
    prior = kPartOfOthers[hint] * others.share * kPriorTouches;
    prior_mean = others.mean;
  }
  estimate.share =
      std::min(kShareMax, (total.returned + coming + prior) / (total.touched + kPriorTouches));
  estimate.mean =
      std::max(kMeanMin, (Seconds(total.sum_ms) + coming_time + kPriorMeanWeight * prior_mean) /
                             (total.returned + coming + kPriorMeanWeight));
  Spread(category, total, prior_mean);
}

void ReturnModel::Fit(int64_t now_ms) {
  Part();
  for (size_t category = 0; category < kReturnCategories; ++category) {
    const Tally total = Total(category);
    known_[category] = total.touched;
    const bool follows = FollowsOthers(category / kReturnClasses);
    if (total.touched > 0 || follows) FitCategory(category, total, now_ms);
  }
  DrawCurves();
}

void ReturnModel::DrawCurves() {
  for (size_t category = 0; category < kReturnCategories; ++category) {
    const size_t rank = category % kReturnClasses;
    const Estimate& estimate = estimates_[category];
    std::array<float, kPoints>& curve = curves_[category];
    const bool floored = rank > 1;
    const bool second = rank == 2 || rank == 2 + kCountClasses;  // touch
    const size_t below = second ? category - rank + 1 : category - 1;
    // A class that nothing is known of is as good as the one below it.
    if (floored && known_[category] == 0) {
      curve = curves_[below];
      due_[category] = due_[below];
      continue;
    }
    const double slow = 1 / estimate.slow_mean;
    const double faster = 1 / estimate.fast_mean - slow;
    for (size_t k = 0; k < kPoints; ++k) {
      const double age = AgeOfPoint(k, kPointsPerOctave);
      // Relative to the slow exponential, so that nothing underflows at great age.
      const double quick = estimate.weight * std::exp(-age * faster);
      const double rate = quick / estimate.fast_mean + (1 - estimate.weight) * slow;
      const double left = estimate.share * (quick + 1 - estimate.weight) * std::exp(-age * slow);
      const double log_hazard =
          std::log(estimate.share * rate) - age * slow - std::log(1 - estimate.share + left);
      curve[k] = static_cast<float>(log_hazard);
      if (floored) curve[k] = std::max(curve[k], curves_[below][k]);
      if (second) curve[k] = std::max(curve[k], curves_[below - 1][k]);
    }
  }
}

float ReturnModel::LogHazard(size_t category, int64_t age_ms) const {
  // The bits of a float are a piecewise linear logarithm: exponent and quarter of the octave.
  constexpr int kFractionBits = 21;
  constexpr uint32_t kOne = 127 * kPointsPerOctave;
  const auto bits = std::bit_cast<uint32_t>(1 + static_cast<float>(age_ms) / 1000);
  const size_t point = std::min<size_t>((bits >> kFractionBits) - kOne, kPoints - 2);
  const float part = static_cast<float>(bits & ((1u << kFractionBits) - 1)) /
                     static_cast<float>(1u << kFractionBits);
  const std::array<float, kPoints>& curve = curves_[category];
  return curve[point] + (curve[point + 1] - curve[point]) * part;
}

}  // namespace cairn
