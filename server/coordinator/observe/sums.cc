#include "server/coordinator/observe/sums.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

uint64_t CountSince(uint64_t now, uint64_t before) { return now < before ? now : now - before; }

absl::Status Wrong(const char* field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

absl::Status CheckSeries(const v1::LatencySeries& series) {
  if (!v1::Stage_IsValid(series.stage())) return Wrong("latency.stage", "unknown");
  if (!v1::BlockTier_IsValid(series.tier())) return Wrong("latency.tier", "unknown");
  if (!v1::Urgency_IsValid(series.urgency())) return Wrong("latency.urgency", "unknown");
  if (series.size_class() >= kSizeClassBytes.size()) {
    return Wrong("latency.size_class", absl::StrCat(series.size_class(), " is unknown"));
  }
  if (series.counts_size() > static_cast<int>(kLatencyBuckets)) {
    return Wrong("latency.counts", absl::StrCat(series.counts_size(), " buckets, at most ",
                                                kLatencyBuckets, " are known"));
  }
  if (series.transport().size() > kLabelBytesMax) {
    return Wrong("latency.transport", absl::StrCat("more than ", kLabelBytesMax, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

LatencySnapshot Since(const LatencySnapshot& now, const LatencySnapshot& before) {
  for (size_t i = 0; i < now.counts.size(); ++i) {
    if (now.counts[i] < before.counts[i]) return now;
  }
  LatencySnapshot more;
  for (size_t i = 0; i < now.counts.size(); ++i) more.counts[i] = now.counts[i] - before.counts[i];
  more.sum_ns = CountSince(now.sum_ns, before.sum_ns);
  return more;
}

absl::StatusOr<SeriesSums> ParseSeries(const LatencyField& field) {
  if (field.size() > static_cast<int>(kSeriesPerReportMax)) {
    return Wrong("latency", absl::StrCat("more than ", kSeriesPerReportMax, " series"));
  }
  SeriesSums sums;
  for (const v1::LatencySeries& series : field) {
    CAIRN_RETURN_IF_ERROR(CheckSeries(series));
    LatencySnapshot sum;
    std::copy(series.counts().begin(), series.counts().end(), sum.counts.begin());
    sum.sum_ns = series.sum_ns();
    const SeriesKey key{
        {series.stage(), series.tier(), series.size_class(), series.tenant_id(), series.urgency()},
        series.transport()};
    sums[key].Merge(sum);
  }
  return sums;
}

void FillSeries(const SeriesSums& sums, LatencyField& field) {
  for (const auto& [key, sum] : sums) AddLatencySeries(key, key.transport, sum, field);
}

void AddSeries(const SeriesSums& from, SeriesSums& into) {
  for (const auto& [key, sum] : from) into[key].Merge(sum);
}

void HitSums::Add(const HitSums& other) {
  requested_blocks += other.requested_blocks;
  hit_blocks += other.hit_blocks;
  requested_tokens += other.requested_tokens;
  hit_tokens += other.hit_tokens;
  answered += other.answered;
  late += other.late;
  for (const auto& [reason, missed] : other.misses) {
    misses[reason].blocks += missed.blocks;
    misses[reason].tokens += missed.tokens;
  }
}

HitSums HitSums::Since(const HitSums& before) const {
  HitSums more;
  more.requested_blocks = CountSince(requested_blocks, before.requested_blocks);
  more.hit_blocks = CountSince(hit_blocks, before.hit_blocks);
  more.requested_tokens = CountSince(requested_tokens, before.requested_tokens);
  more.hit_tokens = CountSince(hit_tokens, before.hit_tokens);
  more.answered = CountSince(answered, before.answered);
  more.late = CountSince(late, before.late);
  for (const auto& [reason, missed] : misses) {
    const auto old = before.misses.find(reason);
    const Missed was = old == before.misses.end() ? Missed{} : old->second;
    const Missed left{CountSince(missed.blocks, was.blocks), CountSince(missed.tokens, was.tokens)};
    if (left.blocks > 0) more.misses[reason] = left;
  }
  return more;
}

absl::StatusOr<HitSums> ParseHits(const v1::HitFigures& figures, uint32_t tokens_per_block) {
  if (figures.misses_size() > static_cast<int>(kMissReasonsMax)) {
    return Wrong("hits.misses", absl::StrCat("more than ", kMissReasonsMax, " reasons"));
  }
  HitSums sums;
  sums.requested_blocks = figures.requested_blocks();
  sums.hit_blocks = figures.hit_blocks();
  sums.requested_tokens = figures.requested_tokens();
  sums.hit_tokens = figures.hit_tokens();
  if (tokens_per_block != 0) {
    sums.requested_tokens = figures.requested_blocks() * tokens_per_block;
    sums.hit_tokens = figures.hit_blocks() * tokens_per_block;
  }
  sums.answered = figures.answered();
  sums.late = figures.late();
  for (const v1::MissFigures& miss : figures.misses()) {
    if (miss.reason().size() > kLabelBytesMax) {
      return Wrong("hits.misses.reason", absl::StrCat("more than ", kLabelBytesMax, " bytes"));
    }
    HitSums::Missed& missed = sums.misses[miss.reason()];
    missed.blocks += miss.blocks();
    missed.tokens += tokens_per_block != 0 ? miss.blocks() * tokens_per_block : miss.tokens();
  }
  return sums;
}

void FillHits(const HitSums& sums, v1::HitFigures& figures) {
  figures.set_requested_blocks(sums.requested_blocks);
  figures.set_hit_blocks(sums.hit_blocks);
  figures.set_requested_tokens(sums.requested_tokens);
  figures.set_hit_tokens(sums.hit_tokens);
  figures.set_answered(sums.answered);
  figures.set_late(sums.late);
  for (const auto& [reason, missed] : sums.misses) {
    v1::MissFigures& miss = *figures.add_misses();
    miss.set_reason(reason);
    miss.set_blocks(missed.blocks);
    miss.set_tokens(missed.tokens);
  }
}

void Observed::Add(const Observed& other) {
  AddSeries(other.node, node);
  AddSeries(other.client, client);
  for (const auto& [tenant, sums] : other.hits) hits[tenant].Add(sums);
}

HitSums Observed::AllHits() const {
  HitSums all;
  for (const auto& [tenant, sums] : hits) all.Add(sums);
  return all;
}

void FillPoint(const Observed& observed, v1::HistoryPoint& point) {
  const auto totals = [](const SeriesSums& sums) {
    SeriesSums kept;
    for (const auto& [key, sum] : sums) {
      if (key.stage == v1::TOTAL) kept.emplace(key, sum);
    }
    return kept;
  };
  FillSeries(totals(observed.node), *point.mutable_node_latency());
  FillSeries(totals(observed.client), *point.mutable_client_latency());
  for (const auto& [tenant, sums] : observed.hits) {
    v1::HistoryPoint::TenantHits& entry = *point.add_hits();
    entry.set_tenant_id(tenant);
    FillHits(sums, *entry.mutable_hits());
  }
}

Observed ParsePoint(const v1::HistoryPoint& point) {
  Observed observed;
  observed.node = ParseSeries(point.node_latency()).value_or(SeriesSums());
  observed.client = ParseSeries(point.client_latency()).value_or(SeriesSums());
  for (const v1::HistoryPoint::TenantHits& entry : point.hits()) {
    observed.hits[entry.tenant_id()].Add(ParseHits(entry.hits(), 0).value_or(HitSums()));
  }
  return observed;
}

}  // namespace cairn
