// The advisor: what an operator should know, with evidence and remedy. Pure.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_FINDINGS_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_FINDINGS_H_

#include <vector>

#include <absl/time/time.h>

#include "cairn/v1/overview.pb.h"
#include "server/coordinator/observe/sums.h"

namespace cairn {

struct FindingInputs {
  const v1::GetStatusReply& status;
  const std::vector<v1::ObjectiveState>& objectives;
  const HitSums& hits;                   // of the last ten minutes
  const v1::GetStatusReply& minute_ago;  // the status then, or as early as there is one
  const v1::GetStatusReply& hour_ago;
};

// How long a finding must stand before it is told: under load the index always lags a little.
absl::Duration HoldOf(const v1::Finding& finding);

// The worst first; `since_unix_ms` is the caller's.
std::vector<v1::Finding> Advise(const FindingInputs& inputs);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_FINDINGS_H_
