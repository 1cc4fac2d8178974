#include "proto/latency_series.h"

namespace cairn {

void AddLatencySeries(const LatencyLabels& labels, std::string_view transport,
                      const LatencySnapshot& snapshot,
                      google::protobuf::RepeatedPtrField<v1::LatencySeries>& series) {
  size_t buckets = snapshot.counts.size();
  while (buckets > 0 && snapshot.counts[buckets - 1] == 0) --buckets;
  if (buckets == 0) return;
  v1::LatencySeries& one = *series.Add();
  one.set_stage(labels.stage);
  one.set_tier(labels.tier);
  one.set_size_class(labels.size_class);
  one.set_tenant_id(labels.tenant);
  one.set_transport(std::string(transport));
  one.set_urgency(labels.urgency);
  one.mutable_counts()->Add(snapshot.counts.begin(),
                            snapshot.counts.begin() + static_cast<ptrdiff_t>(buckets));
  one.set_sum_ns(snapshot.sum_ns);
}

void AddLatencySeries(const LatencyTable& table, std::string_view transport,
                      google::protobuf::RepeatedPtrField<v1::LatencySeries>& series) {
  for (const auto& [labels, snapshot] : table) {
    AddLatencySeries(labels, transport, snapshot, series);
  }
}

}  // namespace cairn
