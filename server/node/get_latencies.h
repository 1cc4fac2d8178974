// How long one reactor's gets took and where the time went: by stage, tier, size class
// and urgency.
#ifndef CAIRN_SERVER_NODE_GET_LATENCIES_H_
#define CAIRN_SERVER_NODE_GET_LATENCIES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "proto/identity.h"
#include "proto/latency_series.h"

namespace cairn {

// Tenants of a reactor whose totals are told apart: the first that got anything.
inline constexpr size_t kTenantSeriesMax = 16;

// Of one block. All but `handed` are read once per Poll of the reactor, so that they are early by
// up to the length of that Poll: the events of a loaded reactor take some hundred microseconds. The
// total errs by one Poll at most, for the bytes leave at the end of a Poll and their completion is
// seen by a later one.
struct GetTimes {
  Instant asked;
  Instant in_memory;  // as asked, but for a block that was on a drive alone
  Instant handed;     // its first chunk, to the transport
  Instant done;       // its last chunk
};

// Record is for the reactor, AddTo for any thread. 144 KiB.
class GetLatencies {
 public:
  // Of a block that was delivered. Allocates and locks nothing.
  void Record(TenantId tenant, v1::BlockTier tier, v1::Urgency urgency, uint64_t bytes,
              const GetTimes& times);
  // The stages are of all tenants; the total of a tenant that has no series of its own is in that
  // of tenant 0.
  void AddTo(LatencyTable& table) const;

 private:
  static constexpr std::array<v1::BlockTier, 2> kTiers = {v1::DRAM_TIER, v1::NVME_TIER};
  using BySize = std::array<LatencyHistogram, kSizeClassBytes.size()>;
  // All of one tenant or stage.
  using Series = std::array<std::array<BySize, kTiers.size()>, v1::Urgency_ARRAYSIZE>;

  Series& TotalOf(TenantId tenant);
  static void Add(const Series& series, v1::Stage stage, TenantId tenant, LatencyTable& table);

  Series total_;
  Series queue_;
  Series media_;
  Series network_;
  std::array<std::atomic<TenantId>, kTenantSeriesMax> tenants_ =
      {};                                        // 0 from the first free one on
  std::array<Series, kTenantSeriesMax> totals_;  // of those
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_GET_LATENCIES_H_
