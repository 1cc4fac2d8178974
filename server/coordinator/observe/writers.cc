#include "server/coordinator/observe/writers.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace cairn {
namespace {

SeriesSums NewsOf(const SeriesSums& now, const SeriesSums& before) {
  SeriesSums news;
  for (const auto& [key, sum] : now) {
    const auto old = before.find(key);
    news[key] = old == before.end() ? sum : Since(sum, old->second);
  }
  return news;
}

}  // namespace

absl::Status Writers::TakeNode(NodeSlot node, const v1::HeartbeatRequest& report) {
  CAIRN_ASSIGN_OR_RETURN(SeriesSums sums, ParseSeries(report.latency()));
  Node& known = nodes_[node];
  if (known.incarnation != report.incarnation()) known = Node{report.incarnation(), {}};
  Hand(NewsOf(sums, known.latency), fresh_.node);
  known.latency = std::move(sums);
  return absl::OkStatus();
}

absl::Status Writers::TakeClient(TenantId tenant, const ClientId& client, uint32_t tokens_per_block,
                                 const v1::ReportClientRequest& report, Instant now) {
  CAIRN_ASSIGN_OR_RETURN(const SeriesSums told, ParseSeries(report.latency()));
  CAIRN_ASSIGN_OR_RETURN(HitSums hits, ParseHits(report.hits(), tokens_per_block));
  SeriesSums sums;
  for (const auto& [key, sum] : told) {
    SeriesKey own = key;
    own.tenant = tenant;  // whatever the client says
    sums[own].Merge(sum);
  }
  Client& known = FindClient({tenant, client});
  Hand(NewsOf(sums, known.latency), fresh_.client);
  fresh_.hits[tenant].Add(hits.Since(known.hits));
  known = Client{std::move(sums), std::move(hits), now};
  return absl::OkStatus();
}

Observed Writers::Take() { return std::exchange(fresh_, Observed()); }

void Writers::Hand(const SeriesSums& news, SeriesSums& into) {
  for (const auto& [key, sum] : news) {
    if (sum.count() == 0) continue;
    SeriesKey kept = key;
    if (into.size() >= kSeriesMax && !into.contains(kept)) {
      kept.tenant = 0;
      kept.transport.clear();
    }
    into[kept].Merge(sum);
  }
}

Writers::Client& Writers::FindClient(const ClientName& name) {
  if (clients_.size() >= kClientsMax && !clients_.contains(name)) {
    clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](auto& a, auto& b) {
      return a.second.heard < b.second.heard;
    }));
  }
  return clients_[name];
}

}  // namespace cairn
