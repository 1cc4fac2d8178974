#include "client/client_figures.h"

#include <algorithm>

#include "proto/latency_series.h"

namespace cairn {
namespace {

uint64_t Between(Instant from, Instant to) { return static_cast<uint64_t>(to.ns - from.ns); }

}  // namespace

void ClientFigures::RecordGet(uint64_t bytes, const GetTimes& times) {
  const size_t size_class = SizeClass(bytes);
  total_[size_class].Record(Between(times.begun, times.done));
  lookup_[size_class].Record(Between(times.begun, times.placed));
  verify_[size_class].Record(Between(times.landed, times.verified));
}

void ClientFigures::CountGet(bool leased, wire::MissReason reason) {
  const bool hit = reason == wire::MissReason::kNone;
  if (leased) {
    if (hit || hits_ == 0) return;
    --hits_;
  } else {
    ++requested_;
    if (hit) ++hits_;
  }
  if (!hit) ++misses_[static_cast<size_t>(reason)];
}

void ClientFigures::CountMatch(uint64_t blocks, uint64_t held, wire::MissReason reason) {
  requested_ += blocks;
  hits_ += held;
  misses_[static_cast<size_t>(reason)] += blocks - held;
}

void ClientFigures::Fill(std::string_view transport, v1::Urgency urgency,
                         v1::ReportClientRequest& report) {
  LatencyTable table;
  for (uint32_t i = 0; i < kSizeClassBytes.size(); ++i) {
    table[{v1::TOTAL, v1::UNKNOWN_TIER, i, 0, urgency}].Merge(total_[i]);
    table[{v1::LOOKUP, v1::UNKNOWN_TIER, i, 0, urgency}].Merge(lookup_[i]);
    table[{v1::VERIFY, v1::UNKNOWN_TIER, i, 0, urgency}].Merge(verify_[i]);
  }
  AddLatencySeries(table, transport, *report.mutable_latency());
  v1::HitFigures& hits = *report.mutable_hits();
  hits_told_ = std::max(hits_told_, hits_);
  hits.set_requested_blocks(requested_);
  hits.set_hit_blocks(hits_told_);
  for (size_t reason = 0; reason < misses_.size(); ++reason) {
    if (misses_[reason] == 0) continue;
    v1::MissFigures& miss = *hits.add_misses();
    miss.set_reason(wire::MissReasonName(static_cast<wire::MissReason>(reason)));
    miss.set_blocks(misses_[reason]);
  }
  hits.set_answered(answered_);
  hits.set_late(late_);
}

}  // namespace cairn
