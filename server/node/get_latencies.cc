#include "server/node/get_latencies.h"

#include <algorithm>

#include "proto/urgency.h"

namespace cairn {
namespace {

// A reactor that ends reads no clock any more.
uint64_t Between(Instant from, Instant to) {
  return static_cast<uint64_t>(std::max<int64_t>(to.ns - from.ns, 0));
}

}  // namespace

void GetLatencies::Record(TenantId tenant, v1::BlockTier tier, v1::Urgency urgency, uint64_t bytes,
                          const GetTimes& times) {
  const size_t row = tier == v1::NVME_TIER ? 1 : 0;
  const size_t size_class = SizeClass(bytes);
  TotalOf(tenant)[urgency][row][size_class].Record(Between(times.asked, times.done));
  queue_[urgency][row][size_class].Record(Between(times.in_memory, times.handed));
  network_[urgency][row][size_class].Record(Between(times.handed, times.done));
  if (tier == v1::NVME_TIER) {
    media_[urgency][row][size_class].Record(Between(times.asked, times.in_memory));
  }
}

GetLatencies::Series& GetLatencies::TotalOf(TenantId tenant) {
  for (size_t i = 0; tenant != 0 && i < tenants_.size(); ++i) {
    const TenantId owner = tenants_[i].load(std::memory_order_relaxed);
    if (owner == tenant) return totals_[i];
    if (owner != 0) continue;
    tenants_[i].store(tenant, std::memory_order_relaxed);
    return totals_[i];
  }
  return total_;
}

void GetLatencies::AddTo(LatencyTable& table) const {
  Add(total_, v1::TOTAL, 0, table);
  Add(queue_, v1::QUEUE, 0, table);
  Add(media_, v1::MEDIA, 0, table);
  Add(network_, v1::NETWORK, 0, table);
  for (size_t i = 0; i < tenants_.size(); ++i) {
    const TenantId owner = tenants_[i].load(std::memory_order_relaxed);
    if (owner == 0) break;
    Add(totals_[i], v1::TOTAL, owner, table);
  }
}

void GetLatencies::Add(const Series& series, v1::Stage stage, TenantId tenant,
                       LatencyTable& table) {
  for (const v1::Urgency urgency : kUrgencies) {
    for (size_t row = 0; row < kTiers.size(); ++row) {
      for (uint32_t size_class = 0; size_class < kSizeClassBytes.size(); ++size_class) {
        table[{stage, kTiers[row], size_class, tenant, urgency}].Merge(
            series[urgency][row][size_class]);
      }
    }
  }
}

}  // namespace cairn
