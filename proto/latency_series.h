// Latency histograms as they are told on the wire: cairn/v1/latency.proto.
#ifndef CAIRN_PROTO_LATENCY_SERIES_H_
#define CAIRN_PROTO_LATENCY_SERIES_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string_view>

#include "base/latency_histogram.h"
#include "cairn/v1/latency.pb.h"
#include "proto/identity.h"

namespace cairn {

// What a series is of, but for its transport.
struct LatencyLabels {
  v1::Stage stage = v1::TOTAL;
  v1::BlockTier tier = v1::DRAM_TIER;
  uint32_t size_class = 0;
  TenantId tenant = 0;  // 0: all that have no series of their own
  v1::Urgency urgency = v1::STANDARD;

  friend auto operator<=>(const LatencyLabels&, const LatencyLabels&) = default;
};

using LatencyTable = std::map<LatencyLabels, LatencySnapshot>;

// Adds one series without trailing zeros; nothing if it has counted nothing.
void AddLatencySeries(const LatencyLabels& labels, std::string_view transport,
                      const LatencySnapshot& snapshot,
                      google::protobuf::RepeatedPtrField<v1::LatencySeries>& series);
// All of the table, in the order of the labels.
void AddLatencySeries(const LatencyTable& table, std::string_view transport,
                      google::protobuf::RepeatedPtrField<v1::LatencySeries>& series);

}  // namespace cairn

#endif  // CAIRN_PROTO_LATENCY_SERIES_H_
