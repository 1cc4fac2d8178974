// What one simulated run has found so far: the broken promises, and how much was really tried.
#ifndef CAIRN_TESTS_SIM_VERDICT_H_
#define CAIRN_TESTS_SIM_VERDICT_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/clock.h"

namespace cairn::sim {

struct Tally {
  uint64_t matches = 0, matched_blocks = 0;
  uint64_t gets = 0, hits = 0, misses = 0;
  uint64_t puts = 0, stored = 0;
  uint64_t foreign = 0;
  uint64_t refused = 0;  // submissions that the client answered kResourceExhausted
  uint64_t faults = 0, restarts = 0;
};

class Verdict {
 public:
  // clock: the world's, which begins at zero.
  explicit Verdict(Clock& clock) : clock_(clock) {}

  // Only the first few are kept: the rest follow from them.
  void Fail(const std::string& what) {
    if (failures_.size() >= kFailuresMax) return;
    failures_.push_back(absl::StrCat(absl::FormatDuration(clock_.Now() - Instant{}), ": ", what));
  }
  bool ok() const { return failures_.empty(); }
  const std::vector<std::string>& failures() const { return failures_; }

  Tally tally;

 private:
  static constexpr size_t kFailuresMax = 10;

  Clock& clock_;
  std::vector<std::string> failures_;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_VERDICT_H_
