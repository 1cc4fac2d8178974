// When does a block of a kind come back, if ever? Learned from what came back, and from how long
// the rest has been waiting.
//
// A block belongs to a category: how often it was used, whether it rested long before the last use,
// and what the engine said of it. Of the touches of a category a share p is followed by another,
// after a time with mean and spread (an exponential, or a mixture of two when times spread wider).
// Both are fitted by expectation maximisation over cohorts, the blocks touched in the same slice of
// the recent past: those that wait still may come yet, the less likely the longer they have waited.
// Without that, all that returns late would count as never returning.
//
// What is read round and round comes back after even times, so that of two blocks the one that has
// waited longer comes first. Where memory does not reach for a round, the newest must go: the rest
// is there when its turn comes, while by age each would go just before.
#ifndef CAIRN_CACHE_POLICY_RETURN_MODEL_H_
#define CAIRN_CACHE_POLICY_RETURN_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace cairn {

// Classes by touches: once behind a block that had been used before, once; 2, 3 to 4, 5 to 8, 9 to
// 16, 17 to 32, more, the last after a short rest; the same after a long one. For each hint.
inline constexpr size_t kCountClasses = 6;  // of more than one touch
inline constexpr size_t kReturnClasses = 2 + 2 * kCountClasses;
inline constexpr size_t kReturnCategories = 4 * kReturnClasses;

// count >= 1. mark: of one touch, that it continues a chain that had been used before; of more,
// that it had rested long before the last.
size_t ReturnCategory(uint32_t count, bool mark, uint32_t hint);

// One thread. O(1) but for a fit every thousand touches (about 100 us).
class ReturnModel {
 public:
  ReturnModel();

  // A touch made a block of this category. resident: the window's length follows from it.
  void Touched(size_t category, int64_t now_ms, uint64_t resident);
  // A block of this category, last touched at then_ms, was touched again.
  void Returned(size_t category, int64_t then_ms, int64_t now_ms);

  // Blocks of this age are forgotten: of older ones nothing is known since.
  void Forgotten(int64_t age_ms);

  // Logarithm of the rate at which blocks of this category and age come back. Falls with age. At
  // the same age never less than that of a class with fewer touches, for a head has at least the
  // touches of its tail: so that no tail outlasts its head.
  float LogHazard(size_t category, int64_t age_ms) const;

  // Blocks of this category come back after even times, as what is read round and round, and one of
  // this age is not due yet: the longer it has waited, the sooner it comes.
  bool Ripens(size_t category, int64_t age_ms) const {
    return Seconds(static_cast<double>(age_ms)) < due_[category];
  }
  // Since then there were more touches than there is room for blocks.
  bool LongAgo(int64_t then_ms) const;

  void Fit(int64_t now_ms);

 private:
  static constexpr size_t kCohorts = 64;
  static constexpr uint64_t kCohortsPerRoom = 2;  // so the window is 32 times what is resident
  static constexpr uint64_t kCohortTouchesMin = 64;
  static constexpr uint64_t kTouchesPerFit = 1024;
  static constexpr size_t kPointsPerOctave = 4;  // of age + 1 s
  static constexpr size_t kPoints = 22 * kPointsPerOctave + 1;

  struct Tally {
    float touched = 0;
    float returned = 0;
    double sum_ms = 0;  // of the times to return
    double squares = 0;
  };
  struct Cohort {
    int64_t begun_ms = 0;
    std::array<Tally, kReturnCategories> tallies;
  };
  // Times are in seconds.
  struct Estimate {
    double share;      // p
    double mean;       // of the times to return
    double weight;     // of the faster of two exponentials
    double fast_mean;  // both equal: one exponential
    double slow_mean;
  };

  static constexpr double Seconds(double ms) { return ms / 1000; }
  static void Add(const Tally& more, Tally* to);

  Cohort& CohortOf(int64_t at_ms);
  void BeginCohort(int64_t now_ms);
  Tally TallyOf(const Cohort& cohort, size_t category) const;
  Tally Total(size_t category) const;
  static double Variation(const Tally& total, double prior_mean);
  void Part();
  void FitCategory(size_t category, const Tally& total, int64_t now_ms);
  void Spread(size_t category, const Tally& total, double prior_mean);
  void DrawCurves();

  std::array<Cohort, kCohorts> cohorts_;
  uint64_t newest_ = 0;   // cohort newest_ % kCohorts is the current one
  uint64_t touches_ = 0;  // in the current cohort
  uint64_t touches_until_fit_ = 0;
  double horizon_ms_ = std::numeric_limits<double>::infinity();  // mean age when forgotten
  std::array<Estimate, kReturnCategories> estimates_;
  std::array<float, kReturnCategories> known_;  // touches in the window
  // Which category is judged together with this one; itself: none.
  std::array<size_t, kReturnCategories> together_;
  std::array<double, kReturnCategories> due_;  // age in seconds; 0: returns are not even
  std::array<std::array<float, kPoints>, kReturnCategories> curves_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_RETURN_MODEL_H_
