// Sums of what nodes and clients saw in a stretch of time: latencies by series, hits by tenant.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_SUMS_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_SUMS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include <absl/status/statusor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "cairn/v1/history.pb.h"
#include "cairn/v1/latency.pb.h"
#include "proto/identity.h"
#include "proto/latency_series.h"

namespace cairn {

inline constexpr size_t kSeriesPerReportMax = 1024;
inline constexpr size_t kMissReasonsMax = 32;
inline constexpr size_t kLabelBytesMax = 32;

struct SeriesKey : LatencyLabels {
  std::string transport;

  friend auto operator<=>(const SeriesKey&, const SeriesKey&) = default;
};

// What came since `before`; a smaller count means that its writer began anew.
LatencySnapshot Since(const LatencySnapshot& now, const LatencySnapshot& before);

using SeriesSums = std::map<SeriesKey, LatencySnapshot>;
using LatencyField = google::protobuf::RepeatedPtrField<v1::LatencySeries>;

// kInvalidArgument names the field: too many series, an unknown stage, tier, urgency or size class,
// too many buckets, a transport of more than kLabelBytesMax bytes.
absl::StatusOr<SeriesSums> ParseSeries(const LatencyField& field);
// Those of a count of zero are left out, as are trailing zeros.
void FillSeries(const SeriesSums& sums, LatencyField& field);
void AddSeries(const SeriesSums& from, SeriesSums& into);

struct HitSums {
  struct Missed {
    uint64_t blocks = 0;
    uint64_t tokens = 0;
  };
  uint64_t requested_blocks = 0, hit_blocks = 0;
  uint64_t requested_tokens = 0, hit_tokens = 0;
  uint64_t answered = 0, late = 0;
  std::map<std::string, Missed> misses;  // by reason; at most kMissReasonsMax

  void Add(const HitSums& other);
  HitSums Since(const HitSums& before) const;
};

using TenantHits = std::map<TenantId, HitSums>;

// kInvalidArgument names the field. Tokens: as the field says, or blocks times tokens_per_block if
// that is not 0.
absl::StatusOr<HitSums> ParseHits(const v1::HitFigures& figures, uint32_t tokens_per_block);
void FillHits(const HitSums& sums, v1::HitFigures& figures);

// All of a stretch of time.
struct Observed {
  SeriesSums node;
  SeriesSums client;
  TenantHits hits;

  void Add(const Observed& other);
  HitSums AllHits() const;
};

// Only TOTAL, which is what history keeps.
void FillPoint(const Observed& observed, v1::HistoryPoint& point);
// Of a point that FillPoint made; what is wrong in it is left out.
Observed ParsePoint(const v1::HistoryPoint& point);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_SUMS_H_
