// How the ends of a simulated connection end.
#include <utility>

#include "transport/sim/sim_connection.h"
#include "transport/sim/sim_worker.h"

namespace cairn {
namespace {

constexpr uint32_t kHalfPpm = 500'000;

}  // namespace

Instant SimConnection::Stalled(SimSide from, Stall& stall) {
  const SimTimings& timings = fabric_.timings();
  const Instant now = scheduler_.Now();
  if (stall.since == kNever) {
    stall = {now, timings.retransmit_min};
  } else {
    stall.retry = std::min(stall.retry * 2, timings.retransmit_max);
    if (now - stall.since > timings.stall_timeout) {
      FailEnd(from,
              absl::UnavailableError(absl::StrCat("connection with ", address_, " timed out")));
    }
  }
  return now + scheduler_.Between(stall.retry / 2, stall.retry);
}

void SimConnection::FailEnd(SimSide side, absl::Status why) {
  End& end = ends_[side];
  if (end.stage != Stage::kOpen) return;
  end.stage = Stage::kFailed;
  // A lane may report some transfers before, some after the endpoint, and the rest only at its
  // close.
  const bool after = scheduler_.Chance(kHalfPpm);
  if (after) {
    end.worker->Push(
        {.kind = SimEvent::Kind::kFailed, .endpoint = end.endpoint, .why = std::move(why)});
  }
  for (auto& [id, transfer] : transfers_) {
    if (scheduler_.Chance(kHalfPpm)) ReportFailure(side, id, transfer);
  }
  if (!after) {
    end.worker->Push(
        {.kind = SimEvent::Kind::kFailed, .endpoint = end.endpoint, .why = std::move(why)});
  }
}

void SimConnection::SendReset(SimSide from) {
  Later(ArrivalTime(from, kSimControlFrameBytes), [from](SimConnection& self) {
    if (!self.Arrives(from)) return;
    self.FailEnd(OtherSide(from), absl::UnavailableError("connection reset by peer"));
  });
}

void SimConnection::BeginClose(SimSide side) {
  if (ends_[side].stage == Stage::kGone) return;
  ends_[side].stage = Stage::kClosing;
  const SimTimings& timings = fabric_.timings();
  const absl::Duration takes = scheduler_.Between(timings.close_min, timings.close_max);
  Later(scheduler_.Now() + takes, [side](SimConnection& self) {
    const End& end = self.ends_[side];
    if (end.worker != nullptr) end.worker->QueueClosed(end.endpoint);
  });
}

std::vector<SimCancelled> SimConnection::EndClose(SimSide side) {
  if (ends_[side].stage == Stage::kGone) return {};
  for (auto& [id, transfer] : transfers_) {
    if (transfer.from != side) Scribble(transfer);
  }
  std::vector<SimCancelled> owed = ReleaseTransfers(side);
  MarkGone(side);
  SendReset(side);
  return owed;
}

void SimConnection::DropEndsOf(SimHostId host, bool silent) {
  for (SimSide side : {SimSide{0}, SimSide{1}}) {
    End& end = ends_[side];
    if (end.host != host || end.stage == Stage::kGone || end.stage == Stage::kAbsent) continue;
    for (const SimCancelled& owed : ReleaseTransfers(side)) {
      end.worker->Push({.kind = owed.received ? SimEvent::Kind::kReceived : SimEvent::Kind::kSent,
                        .endpoint = end.endpoint,
                        .tag = owed.tag,
                        .code = absl::StatusCode::kCancelled});
    }
    MarkGone(side);
    if (!silent) SendReset(side);
  }
}

void SimConnection::MarkGone(SimSide side) {
  ends_[side].stage = Stage::kGone;
  ends_[side].worker = nullptr;
  for (Stream& stream : directions_[side].streams) stream.frames.clear();
  const Stage other = ends_[OtherSide(side)].stage;
  if (other == Stage::kGone || (side == 0 && other == Stage::kAbsent)) {
    fabric_.ForgetConnection(id_);
  }
}

}  // namespace cairn
