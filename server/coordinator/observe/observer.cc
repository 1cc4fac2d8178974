#include "server/coordinator/observe/observer.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "server/coordinator/observe/earlier_nodes.h"
#include "server/coordinator/observe/findings.h"
#include "server/coordinator/observe/node_name.h"

namespace cairn {
namespace {

constexpr size_t kEventsShown = 100;

struct Totals {
  uint64_t evicted_blocks = 0;
  uint64_t nvme_written_bytes = 0;
};

// Of nodes that were there before: what another counted until now was not of this stretch alone.
Totals TotalsSince(const v1::GetStatusReply& now, const EarlierNodes& before) {
  using Node = EarlierNodes::Node;
  Totals totals;
  for (const Node& node : now.nodes()) {
    if (!before.has(node)) continue;
    totals.evicted_blocks += before.Growth(
        node, [](const Node& counted) { return counted.counters().evicted_blocks(); });
    totals.nvme_written_bytes +=
        before.Growth(node, [](const Node& counted) { return counted.nvme().written_bytes(); });
  }
  return totals;
}

}  // namespace

void Observer::Load(std::vector<HistoryRow> fine, std::vector<HistoryRow> coarse) {
  history_.Load(std::move(fine), std::move(coarse));
}

absl::Status Observer::CheckRoomFor(const v1::Objective& objective) const {
  CAIRN_RETURN_IF_ERROR(CheckObjective(objective));
  if (objectives_.size() < kObjectivesMax || objectives_.contains(objective.name())) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("objective: ", kObjectivesMax, " are kept at most; remove one first"));
}

absl::Status Observer::SetObjective(const v1::Objective& objective,
                                    std::optional<TenantId> tenant) {
  CAIRN_RETURN_IF_ERROR(CheckRoomFor(objective));
  Tracked tracked{objective, tenant, {}, {}};
  history_.VisitFine([&](int64_t unix_s, const Observed& observed) {
    tracked.calls.AddFine(Judge(objective, tenant, observed, unix_s));
  });
  history_.VisitCoarse([&](int64_t unix_s, const Observed& observed) {
    tracked.calls.AddCoarse(Judge(objective, tenant, observed, unix_s));
  });
  objectives_.insert_or_assign(objective.name(), std::move(tracked));
  return absl::OkStatus();
}

std::vector<v1::ObjectiveState> Observer::objectives() const {
  std::vector<v1::ObjectiveState> states;
  states.reserve(objectives_.size());
  for (const auto& [name, tracked] : objectives_) {
    states.push_back(Evaluate(tracked.objective, tracked.calls, clock_.UnixSeconds()));
  }
  std::sort(states.begin(), states.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.budget_left(), a.objective().name()) <
           std::tuple(b.budget_left(), b.objective().name());
  });
  return states;
}

std::vector<HistoryRow> Observer::Look(const v1::GetStatusReply& status) {
  if (wants_look()) next_look_ = std::max(next_look_ + kLookEvery, clock_.Now() + kLookEvery / 2);
  std::vector<HistoryRow> rows;
  if (minute_statuses_.empty()) minute_statuses_.push_back(status);
  if (statuses_.empty()) statuses_.push_back(status);
  NoteMembers(status);
  if (clock_.Now() >= next_point_) ClosePoint(status, rows);
  HitSums hits;
  for (const HitSums& sums : hits_) hits.Add(sums);
  const std::vector<v1::ObjectiveState> states = objectives();
  NoteFindings(Advise({status, states, hits, minute_statuses_.front(), statuses_.front()}));
  return rows;
}

void Observer::ClosePoint(const v1::GetStatusReply& status, std::vector<HistoryRow>& rows) {
  // A coordinator that slept makes one long point, not many empty ones.
  next_point_ = std::max(next_point_ + kPointEvery, clock_.Now() + kPointEvery / 2);
  Observed observed = writers_.Take();
  v1::HistoryPoint point;
  // Time goes on, whatever the wall clock does.
  point.set_unix_s(std::max(clock_.UnixSeconds(), history_.newest_unix_s() + 1));
  for (const auto& node : status.nodes()) {
    if (node.state() == "lost") continue;
    point.set_used_bytes(point.used_bytes() + node.used_bytes());
    point.set_capacity_bytes(point.capacity_bytes() + node.capacity_bytes());
    point.set_nodes_ready(point.nodes_ready() + (node.state() == "ready" ? 1 : 0));
  }
  const Totals totals = TotalsSince(status, EarlierNodes(minute_statuses_.back()));
  point.set_evicted_blocks(totals.evicted_blocks);
  point.set_nvme_written_bytes(totals.nvme_written_bytes);
  FillPoint(observed, point);
  rows = history_.Add(point);
  for (auto& [name, tracked] : objectives_) {
    const GoodCalls calls = Judge(tracked.objective, tracked.tenant, observed, point.unix_s());
    tracked.calls.AddFine(calls);
    tracked.since_start.good += calls.good;
    tracked.since_start.total += calls.total;
  }
  for (const HistoryRow& row : rows) {
    v1::HistoryPoint coarse;
    if (row.step != HistoryStep::kCoarse || !coarse.ParseFromString(row.point)) continue;
    const Observed whole = ParsePoint(coarse);
    for (auto& [name, tracked] : objectives_) {
      tracked.calls.AddCoarse(Judge(tracked.objective, tracked.tenant, whole, row.unix_s));
    }
    statuses_.push_back(status);
    if (statuses_.size() > kStatusPoints) statuses_.pop_front();
  }
  hits_.push_back(observed.AllHits());
  hits_since_start_.Add(hits_.back());
  if (hits_.size() > kHitPoints) hits_.pop_front();
  minute_.push_back(std::move(observed));
  if (minute_.size() > kMinutePoints) minute_.pop_front();
  minute_statuses_.push_back(status);
  if (minute_statuses_.size() > kMinutePoints) minute_statuses_.pop_front();
}

void Observer::NoteMembers(const v1::GetStatusReply& status) {
  for (const auto& node : status.nodes()) {
    std::string& known = members_[node.node_id()];
    if (known == node.state()) continue;
    const bool back = known == "lost";
    known = node.state();
    const std::string name = ShortNodeName(node.node_id());
    const std::string kind = back && known != "lost" ? "back" : known;
    AddEvent(absl::StrCat("node_", kind), name,
             absl::StrCat("Node ", name, " is ", back && known != "lost" ? "back, " : "",
                          known == "not_ready" ? "not ready" : known, "."));
  }
}

void Observer::ForgetMember(const std::string& node_id) {
  members_.erase(node_id);
  const std::string name = ShortNodeName(node_id);
  AddEvent("node_forgotten", name, absl::StrCat("Node ", name, " was taken away for good."));
  next_look_ = clock_.Now();
}

void Observer::KeepThoseThatStand(std::vector<v1::Finding>& findings) {
  std::map<FindingName, Instant> seen;
  for (const v1::Finding& finding : findings) {
    const FindingName name{finding.id(), finding.subject()};
    const auto known = seen_since_.find(name);
    seen[name] = known == seen_since_.end() ? clock_.Now() : known->second;
  }
  seen_since_ = std::move(seen);
  std::erase_if(findings, [this](const v1::Finding& finding) {
    return clock_.Now() - seen_since_[{finding.id(), finding.subject()}] < HoldOf(finding);
  });
}

void Observer::NoteFindings(std::vector<v1::Finding> findings) {
  KeepThoseThatStand(findings);
  std::map<FindingName, int64_t> standing;
  for (v1::Finding& finding : findings) {
    const FindingName name{finding.id(), finding.subject()};
    const auto known = raised_at_unix_s_.find(name);
    const bool is_new = known == raised_at_unix_s_.end();
    const int64_t since = is_new ? clock_.UnixSeconds() : known->second;
    if (is_new) AddEvent("finding_raised", finding.subject(), finding.title());
    finding.set_since_unix_ms(since * 1000);
    standing[name] = since;
  }
  for (const v1::Finding& before : findings_) {
    if (!standing.contains({before.id(), before.subject()})) {
      AddEvent("finding_cleared", before.subject(), absl::StrCat("No more: ", before.title()));
    }
  }
  raised_at_unix_s_ = std::move(standing);
  findings_ = std::move(findings);
}

void Observer::Fill(v1::GetOverviewReply& overview) const {
  overview.set_unix_ms(clock_.UnixSeconds() * 1000);
  for (v1::ObjectiveState& state : objectives()) *overview.add_objectives() = std::move(state);
  for (const v1::Finding& finding : findings_) *overview.add_findings() = finding;
  Observed minute;
  for (const Observed& observed : minute_) minute.Add(observed);
  FillSeries(minute.node, *overview.mutable_node_latency());
  FillSeries(minute.client, *overview.mutable_client_latency());
  FillHits(minute.AllHits(), *overview.mutable_hits());
  overview.mutable_edges_ns()->Assign(kLatencyEdgesNs.begin(), kLatencyEdgesNs.end());
  overview.mutable_size_class_bytes()->Assign(kSizeClassBytes.begin(), kSizeClassBytes.end());
  events_.Fill(kEventsShown, *overview.mutable_events());
}

std::string Observer::MetricsText() const {
  return absl::StrCat(HitMetricsText(), ObjectiveMetricsText());
}

std::string Observer::HitMetricsText() const {
  std::string text;
  const auto add = [&](const char* name, const char* help, uint64_t HitSums::* figure) {
    absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " counter\n", name, " ",
                    hits_since_start_.*figure, "\n");
  };
  add("cairn_client_requested_tokens_total", "Tokens of the blocks that clients asked for.",
      &HitSums::requested_tokens);
  add("cairn_client_hit_tokens_total", "Of those, the tokens that they were given.",
      &HitSums::hit_tokens);
  add("cairn_client_requested_blocks_total", "Blocks that clients asked for.",
      &HitSums::requested_blocks);
  add("cairn_client_hit_blocks_total", "Of those, the blocks that they were given.",
      &HitSums::hit_blocks);
  add("cairn_client_answered_calls_total",
      "Calls of clients that ended by their deadline, with bytes or a refusal.",
      &HitSums::answered);
  add("cairn_client_late_calls_total", "Calls of clients that ended after their deadline.",
      &HitSums::late);
  return text;
}

std::string Observer::ObjectiveMetricsText() const {
  std::string text;
  const auto add = [&](const char* name, const char* help, uint64_t GoodCalls::* figure) {
    absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " counter\n");
    for (const auto& [objective, tracked] : objectives_) {
      absl::StrAppend(&text, name, "{objective=\"", objective, "\"} ", tracked.since_start.*figure,
                      "\n");
    }
  };
  add("cairn_objective_calls_total", "Calls that an objective is about.", &GoodCalls::total);
  add("cairn_objective_good_calls_total", "Of those, the good ones.", &GoodCalls::good);
  constexpr char kTarget[] = "cairn_objective_target_ratio";
  absl::StrAppend(&text, "# HELP ", kTarget, " The share of calls that must be good.\n# TYPE ",
                  kTarget, " gauge\n");
  for (const auto& [objective, tracked] : objectives_) {
    absl::StrAppend(&text, kTarget, "{objective=\"", objective, "\"} ",
                    tracked.objective.target_ppm() / 1e6, "\n");
  }
  constexpr char kFindings[] = "cairn_findings";
  absl::StrAppend(&text, "# HELP ", kFindings, " What the advisor found, now.\n# TYPE ", kFindings,
                  " gauge\n");
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const v1::Finding& finding : findings_) ++counts[{finding.id(), finding.severity()}];
  for (const auto& [finding, count] : counts) {
    absl::StrAppend(&text, kFindings, "{finding=\"", finding.first, "\",severity=\"",
                    finding.second, "\"} ", count, "\n");
  }
  return text;
}

}  // namespace cairn
