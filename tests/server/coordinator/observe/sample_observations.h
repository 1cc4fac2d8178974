// Latencies and objectives as the tests of this folder need them.
#ifndef CAIRN_TESTS_SERVER_COORDINATOR_OBSERVE_SAMPLE_OBSERVATIONS_H_
#define CAIRN_TESTS_SERVER_COORDINATOR_OBSERVE_SAMPLE_OBSERVATIONS_H_

#include <cstdint>
#include <vector>

#include "base/latency_buckets.h"
#include "cairn/v1/latency.pb.h"
#include "cairn/v1/objectives.pb.h"
#include "server/coordinator/observe/sums.h"

namespace cairn::testing {

inline constexpr int64_t kMs_ns = 1'000'000;
inline constexpr uint32_t kMiBClass = 3;

// `fast` gets of 0.7 ms and `slow` ones of 7 ms.
inline LatencySnapshot Gets(uint64_t fast, uint64_t slow) {
  LatencySnapshot sum;
  sum.counts[LatencyBucket(700'000)] = fast;
  sum.counts[LatencyBucket(7'000'000)] = slow;
  sum.sum_ns = fast * 700'000 + slow * 7'000'000;
  return sum;
}

inline SeriesKey DramGets(TenantId tenant = 0) {
  return {{v1::TOTAL, v1::DRAM_TIER, kMiBClass, tenant}, "tcp"};
}

inline Observed NodeSaw(uint64_t fast, uint64_t slow, TenantId tenant = 0) {
  Observed observed;
  observed.node[DramGets(tenant)] = Gets(fast, slow);
  return observed;
}

// 99.9 % of gets of 1 MiB from memory within 1 ms, over 30 days.
inline v1::Objective FastGets() {
  v1::Objective objective;
  objective.set_name("fast");
  objective.set_tier(v1::DRAM_TIER);
  objective.set_size_class(kMiBClass);
  objective.set_threshold_ns(kMs_ns);
  objective.set_target_ppm(999'000);
  objective.set_window_s(30 * 24 * 3600);
  return objective;
}

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_COORDINATOR_OBSERVE_SAMPLE_OBSERVATIONS_H_
