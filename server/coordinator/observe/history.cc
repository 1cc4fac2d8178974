#include "server/coordinator/observe/history.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "server/coordinator/observe/objective.h"

namespace cairn {
namespace {

constexpr uint32_t kPointsMax = 1000;

// What is of the end of a stretch is the later one's, the rest is added up.
void AddFigures(const v1::HistoryPoint& later, v1::HistoryPoint& into) {
  into.set_unix_s(later.unix_s());
  into.set_used_bytes(later.used_bytes());
  into.set_capacity_bytes(later.capacity_bytes());
  into.set_nodes_ready(later.nodes_ready());
  into.set_evicted_blocks(into.evicted_blocks() + later.evicted_blocks());
  into.set_nvme_written_bytes(into.nvme_written_bytes() + later.nvme_written_bytes());
}

SeriesSums OverTenants(const SeriesSums& sums) {
  SeriesSums all;
  for (const auto& [key, sum] : sums) {
    SeriesKey whole = key;
    whole.tenant = 0;
    all[whole].Merge(sum);
  }
  return all;
}

KeptPoint Keep(int64_t unix_s, std::string point) {
  return {unix_s, std::make_shared<const std::string>(std::move(point))};
}

void FillReplyPoint(const v1::HistoryPoint& figures, const Observed& observed,
                    v1::GetHistoryReply::Point& out) {
  out.set_unix_s(figures.unix_s());
  out.set_used_bytes(figures.used_bytes());
  out.set_capacity_bytes(figures.capacity_bytes());
  out.set_nodes_ready(figures.nodes_ready());
  out.set_evicted_blocks(figures.evicted_blocks());
  out.set_nvme_written_bytes(figures.nvme_written_bytes());
  FillSeries(OverTenants(observed.node), *out.mutable_node_latency());
  FillSeries(OverTenants(observed.client), *out.mutable_client_latency());
  FillHits(observed.AllHits(), *out.mutable_hits());
}

}  // namespace

void History::Load(std::vector<HistoryRow> fine, std::vector<HistoryRow> coarse) {
  const auto take = [](std::vector<HistoryRow>& rows, std::deque<KeptPoint>& into) {
    for (HistoryRow& row : rows) into.push_back(Keep(row.unix_s, std::move(row.point)));
  };
  take(fine, fine_);
  take(coarse, coarse_);
  for (const KeptPoint& kept : fine_) bytes_ += kept.point->size();
}

std::vector<HistoryRow> History::Add(const v1::HistoryPoint& point) {
  std::vector<HistoryRow> rows;
  rows.push_back({HistoryStep::kFine, point.unix_s(), point.SerializeAsString()});
  fine_.push_back(Keep(point.unix_s(), rows.back().point));
  bytes_ += fine_.back().point->size();
  if (coarse_point_.has_value()) {
    AddFigures(point, *coarse_point_);
  } else {
    coarse_point_ = point;
    coarse_step_ = (point.unix_s() - 1) / kCoarseStep_s;
    coarse_observed_ = Observed();
  }
  coarse_observed_.Add(ParsePoint(point));
  if (point.unix_s() / kCoarseStep_s > coarse_step_) rows.push_back(CloseCoarse());
  Trim(point.unix_s());
  return rows;
}

HistoryRow History::CloseCoarse() {
  v1::HistoryPoint whole = *std::exchange(coarse_point_, std::nullopt);
  whole.clear_node_latency();
  whole.clear_client_latency();
  whole.clear_hits();
  FillPoint(coarse_observed_, whole);
  HistoryRow row{HistoryStep::kCoarse, whole.unix_s(), whole.SerializeAsString()};
  coarse_.push_back(Keep(row.unix_s, row.point));
  return row;
}

void History::Trim(int64_t now_unix_s) {
  while (fine_.size() > 1 &&
         (fine_.front().unix_s <= now_unix_s - kFineSpan_s || bytes_ > kBytesMax)) {
    bytes_ -= fine_.front().point->size();
    fine_.pop_front();
  }
  while (!coarse_.empty() && coarse_.front().unix_s <= now_unix_s - kCoarseSpan_s) {
    coarse_.pop_front();
  }
}

absl::StatusOr<HistoryExcerpt> History::Excerpt(const v1::GetHistoryRequest& request,
                                                int64_t now_unix_s) const {
  if (request.points_max() < 1 || request.points_max() > kPointsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("points_max: ", request.points_max(), " must be 1 to ", kPointsMax));
  }
  const int64_t to = request.to_unix_s() == 0 ? now_unix_s : request.to_unix_s();
  int64_t from = request.from_unix_s();
  if (from == 0) from = fine_.empty() ? to : fine_.front().unix_s - kFineStep_s;
  if (from > to) {
    return absl::InvalidArgumentError(
        absl::StrCat("from_unix_s: ", from, " must not be after to_unix_s, ", to));
  }
  // A whole number of fine steps, so that each step has as many points.
  const int64_t per_point = (to - from + request.points_max() - 1) / request.points_max();
  const int64_t step_s =
      std::max<int64_t>(1, (per_point + kFineStep_s - 1) / kFineStep_s) * kFineStep_s;
  const auto first =
      std::upper_bound(fine_.begin(), fine_.end(), from,
                       [](int64_t at, const KeptPoint& kept) { return at < kept.unix_s; });
  const auto last = std::upper_bound(
      first, fine_.end(), to, [](int64_t at, const KeptPoint& kept) { return at < kept.unix_s; });
  return HistoryExcerpt({first, last}, step_s);
}

v1::GetHistoryReply HistoryExcerpt::Reply() const {
  v1::GetHistoryReply reply;
  reply.set_step_s(static_cast<uint32_t>(step_s_));
  v1::HistoryPoint figures;
  Observed observed;
  int64_t open = INT64_MIN;  // the step being added up
  const auto flush = [&] {
    if (open != INT64_MIN) FillReplyPoint(figures, observed, *reply.add_points());
    figures = v1::HistoryPoint();
    observed = Observed();
  };
  for (const KeptPoint& kept : points_) {
    v1::HistoryPoint point;
    if (!point.ParseFromString(*kept.point)) continue;
    const int64_t step = (kept.unix_s - 1) / step_s_;
    if (step != open) flush();
    open = step;
    AddFigures(point, figures);
    observed.Add(ParsePoint(point));
  }
  flush();
  return reply;
}

}  // namespace cairn
