// Figures as people read them, and the parts that every summary has.
#ifndef CAIRN_SERVER_CLI_FIGURES_H_
#define CAIRN_SERVER_CLI_FIGURES_H_

#include <array>
#include <cstdint>
#include <string>

#include <absl/time/time.h>
#include <nlohmann/json_fwd.hpp>

#include "base/histogram.h"
#include "proto/wire.h"

namespace cairn {

// Three digits and a unit; what moves is counted in powers of 1000, memory in powers of 1024.
std::string FormatMoved(uint64_t bytes);    // "1.73 GB"
std::string FormatMemory(uint64_t bytes);   // "61.3 MiB"
std::string FormatLatency(uint64_t us);     // "1.52 ms"
std::string FormatAge(absl::Duration age);  // "2 d 3 h", "2 m 5 s", "4 s"
std::string FormatCount(uint64_t count);    // "288,500"
std::string FormatPercent(double of_1);     // "36.6 %"

// By MissReason.
using ReasonCounts = std::array<uint64_t, static_cast<size_t>(wire::MissReason::kMax) + 1>;
inline uint64_t& CountOf(ReasonCounts& counts, wire::MissReason reason) {
  return counts[static_cast<size_t>(reason)];
}
uint64_t Sum(const ReasonCounts& counts);
std::string ReasonsText(const ReasonCounts& counts);  // "absent 182,790, deadline 3", "none"
nlohmann::ordered_json ReasonsJson(const ReasonCounts& counts);

std::string LatencyText(const HistogramSnapshot& latency_us);  // "p50 1.52 ms, p99 15.0 ms, ..."
nlohmann::ordered_json LatencyJson(const HistogramSnapshot& latency_us);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_FIGURES_H_
