// Restarts a node in the middle of a replay, as an operator does, and tells how hits went on.
#ifndef CAIRN_SERVER_CLI_MIDWAY_RESTART_H_
#define CAIRN_SERVER_CLI_MIDWAY_RESTART_H_

#include <cstddef>
#include <string>

#include <absl/status/status.h>

#include "server/cli/local_cluster.h"
#include "server/cli/replay/replay.h"

namespace cairn {

// One thread. cluster outlives it.
class MidwayRestart {
 public:
  // node: 0, 1, ...
  MidwayRestart(LocalCluster& cluster, size_t node) : cluster_(cluster), process_(1 + node) {}

  // Told of the replay's progress; never waits. kUnavailable: the node did not come back.
  absl::Status Step(const ReplayProgress& progress);

  // Block hits per lookup in a twentieth of the replay before the node ended, while it was away,
  // and in as much after it served again (or what was left of the replay).
  struct Outcome {
    uint64_t at_request = 0;
    double away_s = 0;
    double hit_ratio_before = 0;
    double hit_ratio_away = 0;
    double hit_ratio_after = 0;
    uint64_t requests_after = 0;
  };
  // False: the replay ended before.
  bool done() const { return state_ == State::kDone; }
  const Outcome& outcome() const { return outcome_; }
  std::string ToText() const;
  std::string ToJson() const;

 private:
  enum class State { kFirstHalf, kBefore, kStopping, kStarting, kAfter, kDone };

  static double HitsBetween(const ReplayProgress& from, const ReplayProgress& to);

  LocalCluster& cluster_;
  const size_t process_;
  State state_ = State::kFirstHalf;
  ReplayProgress since_;  // when the state began
  double stopped_s_ = 0;
  Outcome outcome_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_MIDWAY_RESTART_H_
