// The bulks of a simulated connection.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "transport/sim/sim_connection.h"
#include "transport/sim/sim_worker.h"

namespace cairn {
namespace {

constexpr uint32_t kHalfPpm = 500'000;
constexpr absl::Duration kStoppedRetry = absl::Milliseconds(1);  // looks again for SIGCONT

std::string CopyOf(absl::Span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

absl::Span<const std::byte> BytesOf(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

SimRegion& SimRegionOf(const RegionSlice& slice) {
  auto* region = dynamic_cast<const SimRegion*>(slice.region);
  CAIRN_CHECK(region != nullptr);
  // Holds are the lane's own bookkeeping; callers see regions as constant.
  return const_cast<SimRegion&>(*region);
}

std::byte* BytesIn(const RegionSlice& slice) { return slice.region->base() + slice.offset_bytes; }

}  // namespace

absl::Status SimConnection::SendBulks(SimSide side, absl::Span<const Bulk> bulks) {
  Direction& direction = directions_[side];
  if (direction.bulks_in_flight + bulks.size() > kBulksInFlightMax) {
    return absl::ResourceExhaustedError("kBulksInFlightMax bulks are in flight; Poll first");
  }
  direction.bulks_in_flight += bulks.size();
  for (const Bulk& bulk : bulks) {
    Append(side, kAnnouncements, {.transfer = AddTransfer(side, bulk)}, bulk.header.size());
  }
  return absl::OkStatus();
}

uint64_t SimConnection::AddTransfer(SimSide from, const Bulk& bulk) {
  const uint64_t id = fabric_.NextId();
  Transfer& transfer = transfers_[id];
  transfer.from = from;
  transfer.header = CopyOf(bulk.header);
  transfer.source = BytesIn(bulk.source);
  transfer.source_slice = bulk.source;
  transfer.bytes = bulk.source.size_bytes;
  transfer.sender_tag = bulk.tag;
  if (fabric_.options().check_sources) {
    transfer.source_fingerprint = SimFingerprint({transfer.source, transfer.bytes});
  }
  // Few pieces make the simulation fast, several make torn blocks possible.
  transfer.piece_bytes =
      std::max<uint64_t>(transfer.bytes / (2 + scheduler_.random().Below(6)), 64);
  transfer.backwards = scheduler_.Chance(kHalfPpm);
  transfer.holds_source = true;
  SimRegionOf(bulk.source).Hold();
  return id;
}

uint64_t SimConnection::AddDuplicate(const Transfer& original) {
  const uint64_t id = fabric_.NextId();
  Transfer& twin = transfers_[id];
  twin.from = original.from;
  twin.header = original.header;
  twin.copy = CopyOf({original.source, original.bytes});
  twin.bytes = original.bytes;
  twin.piece_bytes = original.piece_bytes;
  twin.send_reported = true;
  return id;
}

const std::string* SimConnection::ArrivedHeader(uint64_t id, uint64_t* bulk_bytes) const {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return nullptr;
  *bulk_bytes = found->second.bytes;
  return &found->second.header;
}

void SimConnection::AnswerBulk(SimSide side, uint64_t id, const Landing& landing) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  Transfer& transfer = found->second;
  if (!landing.accepted) {
    transfer.receive_reported = true;
    AcknowledgeSend(id, {});
    return ForgetIfFinished(id);
  }
  CAIRN_CHECK(landing.destination.size_bytes == transfer.bytes);
  SimRegion& region = SimRegionOf(landing.destination);
  CAIRN_CHECK(&region.worker() == ends_[side].worker);
  CAIRN_CHECK(landing.destination.offset_bytes <= region.size_bytes());
  CAIRN_CHECK(transfer.bytes <= region.size_bytes() - landing.destination.offset_bytes);
  transfer.destination = landing.destination;
  transfer.receiver_tag = landing.tag;
  transfer.holds_destination = true;
  region.Hold();
  region.worker().ClaimLanding(BytesIn(landing.destination), transfer.bytes);
  // The clear-to-send travels to the sender, the first piece back.
  const Instant granted = ArrivalTime(side, kSimControlFrameBytes);
  Later(granted, [id](SimConnection& self) { self.ContinueTransfer(id); });
}

void SimConnection::ContinueTransfer(uint64_t id) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  Transfer& transfer = found->second;
  const SimSide to = OtherSide(transfer.from);
  if (ends_[transfer.from].stage == Stage::kGone || !transfer.holds_destination) return;
  auto again = [id](SimConnection& self) { self.ContinueTransfer(id); };
  if (fabric_.host(ends_[transfer.from].host).stopped) {
    return Later(scheduler_.Now() + kStoppedRetry, again);
  }
  if (!Arrives(transfer.from)) return Later(Stalled(transfer.from, transfer.stall), again);
  transfer.stall = {};
  LandPiece(transfer);
  if (transfer.landed_bytes < transfer.bytes) {
    return Later(ArrivalTime(transfer.from, transfer.piece_bytes), again);
  }
  AcknowledgeSend(id, {});
  if (transfer.receive_reported || ends_[to].stage != Stage::kOpen) return;
  transfer.receive_reported = true;
  ends_[to].worker->Push({.kind = SimEvent::Kind::kReceived,
                          .endpoint = ends_[to].endpoint,
                          .transfer = id,
                          .tag = transfer.receiver_tag});
}

void SimConnection::LandPiece(Transfer& transfer) {
  const uint64_t bytes = std::min(transfer.piece_bytes, transfer.bytes - transfer.landed_bytes);
  const uint64_t offset =
      transfer.backwards ? transfer.bytes - transfer.landed_bytes - bytes : transfer.landed_bytes;
  const std::byte* source = transfer.holds_source ? transfer.source : BytesOf(transfer.copy).data();
  // The source of a bulk is let go only after its last piece.
  CAIRN_CHECK(transfer.holds_source || transfer.copy.size() == transfer.bytes);
  std::byte* piece = BytesIn(transfer.destination) + offset;
  fabric_.ObserveLanding({piece, bytes});
  std::copy_n(source + offset, bytes, piece);
  if (scheduler_.Chance(link(transfer.from).corrupt_ppm)) {
    const uint64_t bit = scheduler_.random().Below(bytes * 8);
    piece[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
  transfer.landed_bytes += bytes;
  scheduler_.trace().Record(scheduler_.Now(), "land", id_, offset, SimFingerprint({piece, bytes}));
}

void SimConnection::AcknowledgeSend(uint64_t id, Stall stall) {
  Later(ArrivalTime(OtherSide(transfers_[id].from), kSimControlFrameBytes),
        [id, stall](SimConnection& self) mutable { self.CompleteSend(id, stall); });
}

void SimConnection::FinishReceive(uint64_t id) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  ReleaseDestination(found->second);
  ForgetIfFinished(id);
}

void SimConnection::FinishSend(uint64_t id) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  ReleaseSource(found->second);
  ForgetIfFinished(id);
}

void SimConnection::ReleaseSource(Transfer& transfer) {
  if (!transfer.holds_source) return;
  transfer.holds_source = false;
  // The sender promised to leave the bytes alone until now.
  CAIRN_CHECK(!fabric_.options().check_sources ||
              SimFingerprint({transfer.source, transfer.bytes}) == transfer.source_fingerprint);
  SimRegionOf(transfer.source_slice).LetGo();
}

void SimConnection::ReleaseDestination(Transfer& transfer) {
  if (!transfer.holds_destination) return;
  transfer.holds_destination = false;
  SimRegion& region = SimRegionOf(transfer.destination);
  region.worker().UnclaimLanding(BytesIn(transfer.destination));
  region.LetGo();
}

void SimConnection::CompleteSend(uint64_t id, Stall stall) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  Transfer& transfer = found->second;
  const SimSide from = transfer.from;
  const Stage stage = ends_[from].stage;
  // A close that has begun owes the callback itself.
  if (transfer.send_reported || stage == Stage::kClosing || stage == Stage::kGone) return;
  if (!Arrives(OtherSide(from))) {
    const Instant again = Stalled(OtherSide(from), stall);
    return Later(again, [id, stall](SimConnection& self) { self.CompleteSend(id, stall); });
  }
  transfer.send_reported = true;
  --directions_[from].bulks_in_flight;
  ends_[from].worker->Push({.kind = SimEvent::Kind::kSent,
                            .endpoint = ends_[from].endpoint,
                            .transfer = id,
                            .tag = transfer.sender_tag});
}

void SimConnection::ReportFailure(SimSide side, uint64_t id, Transfer& transfer) {
  const bool sends = transfer.from == side;
  bool& reported = sends ? transfer.send_reported : transfer.receive_reported;
  if (reported || (!sends && !transfer.holds_destination)) return;
  reported = true;
  ends_[side].worker->Push({.kind = sends ? SimEvent::Kind::kSent : SimEvent::Kind::kReceived,
                            .endpoint = ends_[side].endpoint,
                            .transfer = id,
                            .tag = sends ? transfer.sender_tag : transfer.receiver_tag,
                            .code = absl::StatusCode::kUnavailable});
}

void SimConnection::Scribble(Transfer& transfer) {
  if (!transfer.holds_destination || transfer.landed_bytes == transfer.bytes) return;
  if (!scheduler_.Chance(fabric_.options().scribble_ppm)) return;
  const uint64_t begin = scheduler_.random().Below(transfer.bytes);
  const uint64_t bytes = std::min(transfer.bytes - begin, transfer.piece_bytes);
  const absl::Span<std::byte> garbage(BytesIn(transfer.destination) + begin, bytes);
  fabric_.ObserveLanding(garbage);
  scheduler_.random().Fill(garbage);
}

std::vector<SimCancelled> SimConnection::ReleaseTransfers(SimSide side) {
  std::vector<SimCancelled> owed;
  std::vector<uint64_t> ids;
  for (auto& [id, transfer] : transfers_) {
    ids.push_back(id);
    if (transfer.from == side) {
      if (!transfer.send_reported) owed.push_back({.received = false, .tag = transfer.sender_tag});
      transfer.send_reported = true;
      ReleaseSource(transfer);
    } else {
      if (!transfer.receive_reported && transfer.holds_destination) {
        owed.push_back({.received = true, .tag = transfer.receiver_tag});
      }
      transfer.receive_reported = true;
      ReleaseDestination(transfer);
    }
  }
  for (uint64_t id : ids) ForgetIfFinished(id);
  return owed;
}

void SimConnection::ForgetIfFinished(uint64_t id) {
  const Transfer& transfer = transfers_.at(id);
  const bool held = transfer.holds_source || transfer.holds_destination;
  if (!held && transfer.send_reported && transfer.receive_reported) transfers_.erase(id);
}

}  // namespace cairn
