#include "server/coordinator/observe/objective.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "base/status.h"
#include "server/registry/given_name.h"

namespace cairn {
namespace {

// Google's SRE Workbook, chapter 5: both windows, or an alert fires late and stays long.
struct BurnRule {
  double factor;
  int64_t long_s;
  int64_t short_s;
  const char* severity;
};
constexpr BurnRule kBurnRules[] = {
    {14.4, 3600, 300, "page"},
    {6, 6 * 3600, 1800, "page"},
    {1, 3 * 24 * 3600, 6 * 3600, "ticket"},
};

constexpr uint32_t kTargetMin_ppm = 500'000;
constexpr uint32_t kTargetMax_ppm = 999'999;
constexpr int64_t kWindowMin_s = 3600;
constexpr int64_t kWindowMax_s = 30 * 24 * 3600;

absl::Status Wrong(const char* field, const std::string& value, const std::string& allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("objective.", field, ": ", value, " must be ", allowed));
}

absl::Status CheckThreshold(const v1::Objective& objective) {
  const auto threshold_ns = static_cast<uint64_t>(std::max<int64_t>(objective.threshold_ns(), 0));
  const auto* const found =
      std::lower_bound(kLatencyEdgesNs.begin(), kLatencyEdgesNs.end(), threshold_ns);
  if (found != kLatencyEdgesNs.end() && *found == threshold_ns) return absl::OkStatus();
  std::string edges;
  for (const uint64_t edge_ns : kLatencyEdgesNs) {
    absl::StrAppend(&edges, edges.empty() ? "" : ", ",
                    absl::FormatDuration(absl::Nanoseconds(edge_ns)));
  }
  return Wrong("threshold", absl::FormatDuration(absl::Nanoseconds(objective.threshold_ns())),
               absl::StrCat("an edge of the histograms, so that nothing is estimated: ", edges));
}

double BadShare(const GoodCalls& calls) {
  return calls.total == 0
             ? 0
             : static_cast<double>(calls.total - calls.good) / static_cast<double>(calls.total);
}

}  // namespace

absl::Status CheckObjective(const v1::Objective& objective) {
  CAIRN_RETURN_IF_ERROR(CheckGivenName("objective.name", objective.name()));
  if (objective.target_ppm() < kTargetMin_ppm || objective.target_ppm() > kTargetMax_ppm) {
    return Wrong("target", absl::StrCat(objective.target_ppm() / 1e4, " %"), "50 to 99.9999 %");
  }
  if (objective.window_s() < kWindowMin_s || objective.window_s() > kWindowMax_s) {
    return Wrong("window", absl::FormatDuration(absl::Seconds(objective.window_s())), "1h to 30d");
  }
  if (objective.kind() == v1::Objective::ANSWERED) return absl::OkStatus();
  if (objective.kind() != v1::Objective::LATENCY) {
    return Wrong("kind", absl::StrCat(objective.kind()), "latency or answered");
  }
  if (objective.size_class() >= kSizeClassBytes.size()) {
    return Wrong("size", absl::StrCat("class ", objective.size_class()),
                 absl::StrCat("below ", kSizeClassBytes.size()));
  }
  if (!v1::BlockTier_IsValid(objective.tier())) {
    return Wrong("tier", absl::StrCat(objective.tier()), "dram, nvme or any");
  }
  if (!v1::Urgency_IsValid(objective.urgency())) {
    return Wrong("urgency", absl::StrCat(objective.urgency()), "interactive, standard or batch");
  }
  return CheckThreshold(objective);
}

GoodCalls Judge(const v1::Objective& objective, std::optional<TenantId> tenant,
                const Observed& observed, int64_t unix_s) {
  GoodCalls calls{unix_s, 0, 0};
  if (objective.kind() == v1::Objective::ANSWERED) {
    for (const auto& [id, hits] : observed.hits) {
      if (tenant.has_value() && id != *tenant) continue;
      calls.good += hits.answered;
      calls.total += hits.answered + hits.late;
    }
    return calls;
  }
  const bool any_tier = objective.tier() == v1::UNKNOWN_TIER;
  const size_t last = LatencyBucket(static_cast<uint64_t>(objective.threshold_ns()));
  for (const auto& [key, sum] : any_tier ? observed.client : observed.node) {
    if (key.stage != v1::TOTAL || key.size_class != objective.size_class()) continue;
    if (!any_tier && key.tier != objective.tier()) continue;
    if (tenant.has_value() && key.tenant != *tenant) continue;
    if (objective.has_urgency() && key.urgency != objective.urgency()) continue;
    for (size_t i = 0; i <= last; ++i) calls.good += sum.counts[i];
    calls.total += sum.count();
  }
  return calls;
}

void CallHistory::AddFine(const GoodCalls& calls) {
  fine_.push_back(calls);
  while (fine_.front().unix_s <= calls.unix_s - kFineSpan_s) fine_.pop_front();
}

void CallHistory::AddCoarse(const GoodCalls& calls) {
  coarse_.push_back(calls);
  while (coarse_.front().unix_s <= calls.unix_s - kCoarseSpan_s) coarse_.pop_front();
}

GoodCalls CallHistory::Within(int64_t window_s, int64_t now_unix_s) const {
  GoodCalls all{now_unix_s, 0, 0};
  const int64_t begin = now_unix_s - window_s;
  int64_t fine_begin = begin;
  if (window_s > kFineSpan_s) {
    for (const GoodCalls& calls : coarse_) {
      if (calls.unix_s <= begin) continue;
      all.good += calls.good;
      all.total += calls.total;
      fine_begin = std::max(fine_begin, calls.unix_s);
    }
  }
  for (auto calls = fine_.rbegin(); calls != fine_.rend() && calls->unix_s > fine_begin; ++calls) {
    all.good += calls->good;
    all.total += calls->total;
  }
  return all;
}

int64_t CallHistory::BeginsAt(int64_t now_unix_s) const {
  const int64_t fine_begin = fine_.empty() ? now_unix_s : fine_.front().unix_s - kFineStep_s;
  // The first coarse step may be short: while the fine ones reach as far back they say when.
  if (coarse_.empty() || fine_begin <= coarse_.front().unix_s) return fine_begin;
  return coarse_.front().unix_s - kCoarseStep_s;
}

v1::ObjectiveState Evaluate(const v1::Objective& objective, const CallHistory& history,
                            int64_t now_unix_s) {
  v1::ObjectiveState state;
  *state.mutable_objective() = objective;
  const double allowed = 1 - objective.target_ppm() / 1e6;
  const GoodCalls all = history.Within(objective.window_s(), now_unix_s);
  state.set_good(all.good);
  state.set_total(all.total);
  state.set_attainment(1 - BadShare(all));
  state.set_budget_left(1 - BadShare(all) / allowed);
  state.set_history_s(std::min(objective.window_s(), now_unix_s - history.BeginsAt(now_unix_s)));
  bool burning = false;
  for (const BurnRule& rule : kBurnRules) {
    const GoodCalls in_long = history.Within(rule.long_s, now_unix_s);
    const GoodCalls in_short = history.Within(rule.short_s, now_unix_s);
    v1::BurnRate& burn = *state.add_burns();
    burn.set_long_window_s(rule.long_s);
    burn.set_short_window_s(rule.short_s);
    burn.set_factor(rule.factor);
    burn.set_severity(rule.severity);
    burn.set_long_rate(BadShare(in_long) / allowed);
    burn.set_short_rate(BadShare(in_short) / allowed);
    burn.set_firing(burn.long_rate() >= rule.factor && burn.short_rate() >= rule.factor &&
                    in_long.total >= kBurnCallsMin &&
                    in_long.total - in_long.good >= kBurnBadCallsMin);
    burning = burning || burn.firing();
  }
  const double hour_rate = state.burns(0).long_rate();
  int64_t exhausted_in_s = -1;
  if (state.budget_left() <= 0) {
    exhausted_in_s = 0;
  } else if (hour_rate > 0) {
    exhausted_in_s =
        std::llround(state.budget_left() * static_cast<double>(objective.window_s()) / hour_rate);
  }
  state.set_exhausted_in_s(exhausted_in_s);
  state.set_verdict(all.total == 0        ? "no_traffic"
                    : exhausted_in_s == 0 ? "exhausted"
                    : burning             ? "burning"
                                          : "ok");
  return state;
}

}  // namespace cairn
