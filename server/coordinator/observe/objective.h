// Objectives: what may be promised, and whether it is kept. Pure: no clock, no lock.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_OBJECTIVE_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_OBJECTIVE_H_

#include <cstdint>
#include <deque>
#include <optional>

#include <absl/status/status.h>

#include "cairn/v1/objectives.pb.h"
#include "server/coordinator/observe/sums.h"

namespace cairn {

inline constexpr int64_t kFineStep_s = 10;
inline constexpr int64_t kFineSpan_s = 24 * 3600;
inline constexpr int64_t kCoarseStep_s = 300;
inline constexpr int64_t kCoarseSpan_s = 31 * 24 * 3600;

// A burn rate counts only with so much to judge by in its long window, or a quiet night's single
// miss would call somebody.
inline constexpr uint64_t kBurnCallsMin = 100;
inline constexpr uint64_t kBurnBadCallsMin = 5;

// kInvalidArgument names the field, the value and what is allowed.
absl::Status CheckObjective(const v1::Objective& objective);

// Of one stretch of time, which ended at unix_s.
struct GoodCalls {
  int64_t unix_s = 0;
  uint64_t good = 0;
  uint64_t total = 0;
};

// tenant: of the objective; nullopt: all. LATENCY of a known tier is judged by the nodes'
// histograms, of any tier by the clients', who alone see all of a get.
GoodCalls Judge(const v1::Objective& objective, std::optional<TenantId> tenant,
                const Observed& observed, int64_t unix_s);

// The calls of an objective over time: a day in steps of kFineStep_s, 31 days of kCoarseStep_s.
class CallHistory {
 public:
  void AddFine(const GoodCalls& calls);
  void AddCoarse(const GoodCalls& calls);
  // Of stretches that ended after now - window.
  GoodCalls Within(int64_t window_s, int64_t now_unix_s) const;
  // When the oldest known stretch began; now if there is none.
  int64_t BeginsAt(int64_t now_unix_s) const;

 private:
  std::deque<GoodCalls> fine_;
  std::deque<GoodCalls> coarse_;
};

v1::ObjectiveState Evaluate(const v1::Objective& objective, const CallHistory& history,
                            int64_t now_unix_s);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_OBJECTIVE_H_
