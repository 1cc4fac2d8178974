#include "transport/sim/sim_connection.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "transport/sim/sim_worker.h"

namespace cairn {
namespace {

std::string CopyOf(absl::Span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

SimConnection::SimConnection(SimFabric& fabric, uint64_t id, SimHostId initiator, SimWorker& worker,
                             uint64_t endpoint, SimHostId target, const std::string& address)
    : fabric_(fabric), scheduler_(fabric.scheduler()), id_(id), address_(address) {
  ends_[0] = {initiator, &worker, endpoint, Stage::kOpen};
  ends_[1].host = target;
  const Instant deadline = scheduler_.Now() + fabric_.timings().connect_timeout;
  Later(ArrivalTime(0, kSimControlFrameBytes),
        [deadline](SimConnection& self) { self.AttemptConnect(deadline, {}); });
}

void SimConnection::AttemptConnect(Instant deadline, Stall stall) {
  if (ends_[0].stage != Stage::kOpen) return;
  if (!Arrives(0)) {
    if (scheduler_.Now() > deadline) {
      return FailEnd(0,
                     absl::UnavailableError(absl::StrCat("connect to ", address_, ": timed out")));
    }
    const Instant again = Stalled(0, stall);
    return Later(again,
                 [deadline, stall](SimConnection& self) { self.AttemptConnect(deadline, stall); });
  }
  if (Accept()) return;
  Later(ArrivalTime(1, kSimControlFrameBytes), [](SimConnection& self) {
    self.FailEnd(0, absl::UnavailableError(
                        absl::StrCat("connect to ", self.address_, ": connection refused")));
  });
}

bool SimConnection::Accept() {
  auto listener = fabric_.listeners().find(address_);
  if (listener == fabric_.listeners().end()) return false;
  const uint64_t endpoint = listener->second->AddAccepted(
      id_, absl::StrCat(fabric_.host(ends_[0].host).ip, ":", 40000 + id_ % 20000));
  if (endpoint == 0) return false;
  ends_[1].worker = listener->second;
  ends_[1].endpoint = endpoint;
  ends_[1].stage = Stage::kOpen;
  for (StreamKind kind : {kMessages, kAnnouncements}) Pump(0, kind, scheduler_.Now());
  return true;
}

absl::Status SimConnection::SendMessage(SimSide side, absl::Span<const std::byte> message) {
  Direction& direction = directions_[side];
  if (direction.messages_in_flight >= kMessagesInFlightMax) {
    return absl::ResourceExhaustedError("kMessagesInFlightMax messages are in flight; Poll first");
  }
  ++direction.messages_in_flight;
  Append(side, kMessages, {.bytes = CopyOf(message)}, message.size());
  return absl::OkStatus();
}

void SimConnection::Append(SimSide from, StreamKind kind, Frame frame, size_t bytes) {
  frame.arrives_at = ArrivalTime(from, bytes);
  directions_[from].streams[kind].frames.push_back(std::move(frame));
  Pump(from, kind, directions_[from].streams[kind].frames.front().arrives_at);
}

void SimConnection::Pump(SimSide from, StreamKind kind, Instant at) {
  Stream& stream = directions_[from].streams[kind];
  const bool connected = ends_[1].stage != Stage::kAbsent;
  if (stream.pumping || stream.frames.empty() || !connected) return;
  stream.pumping = true;
  Later(at, [from, kind](SimConnection& self) {
    self.directions_[from].streams[kind].pumping = false;
    self.Step(from, kind);
  });
}

void SimConnection::Step(SimSide from, StreamKind kind) {
  Stream& stream = directions_[from].streams[kind];
  const Stage stage = ends_[from].stage;
  if (stream.frames.empty() || stage == Stage::kGone || stage == Stage::kFailed) return;
  if (stream.frames.front().arrives_at > scheduler_.Now()) {
    return Pump(from, kind, stream.frames.front().arrives_at);
  }
  if (!Arrives(from)) return Pump(from, kind, Stalled(from, stream.stall));
  stream.stall = {};
  size_t next = 0;
  if (kind == kMessages && stream.frames.size() > 1 && scheduler_.Chance(link(from).reorder_ppm)) {
    next = 1;
  }
  const Frame frame = std::move(stream.frames[next]);
  stream.frames.erase(stream.frames.begin() + static_cast<std::ptrdiff_t>(next));
  Deliver(from, kind, frame);
  if (!stream.frames.empty()) Pump(from, kind, stream.frames.front().arrives_at);
}

void SimConnection::Deliver(SimSide from, StreamKind kind, const Frame& frame) {
  const SimSide to = OtherSide(from);
  if (ends_[to].stage == Stage::kGone) return SendReset(to);
  if (ends_[to].stage != Stage::kOpen) {
    if (kind == kMessages) --directions_[from].messages_in_flight;
    return;
  }
  if (scheduler_.Chance(link(from).reset_ppm)) {
    FailEnd(from, absl::UnavailableError("connection reset by peer"));
    return FailEnd(to, absl::UnavailableError("connection reset by peer"));
  }
  if (kind == kMessages) {
    DeliverMessage(from, frame);
  } else {
    DeliverAnnouncement(from, frame.transfer);
  }
}

std::string SimConnection::Damage(SimSide from, std::string bytes) {
  if (scheduler_.Chance(link(from).corrupt_header_ppm)) {
    const uint64_t bit = scheduler_.random().Below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
  return bytes;
}

void SimConnection::DeliverMessage(SimSide from, const Frame& frame) {
  const End& to = ends_[OtherSide(from)];
  const bool twice = scheduler_.Chance(link(from).duplicate_ppm);
  if (twice) ++directions_[from].messages_in_flight;
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    to.worker->Push({.kind = SimEvent::Kind::kMessage,
                     .endpoint = to.endpoint,
                     .bytes = Damage(from, frame.bytes)});
  }
}

void SimConnection::DeliverAnnouncement(SimSide from, uint64_t id) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  found->second.header = Damage(from, std::move(found->second.header));
  Announce(OtherSide(from), id);
  if (scheduler_.Chance(link(from).duplicate_ppm)) {
    Announce(OtherSide(from), AddDuplicate(found->second));
  }
}

void SimConnection::Announce(SimSide to, uint64_t transfer) {
  ends_[to].worker->Push(
      {.kind = SimEvent::Kind::kBulkArrival, .endpoint = ends_[to].endpoint, .transfer = transfer});
}

void SimConnection::MessageConsumed(SimSide side) {
  --directions_[OtherSide(side)].messages_in_flight;
}

}  // namespace cairn
