// Blocks from clients: reserve, land in the slot, verify, seal, acknowledge.
#include <utility>
#include <vector>

#include "base/check.h"
#include "proto/checksum.h"
#include "server/node/reactor.h"

namespace cairn {
namespace {

constexpr uint32_t kRetryAfter_ms = 50;  // with a full cache or too many puts

wire::MissReason Translate(SealOutcome outcome) {
  switch (outcome) {
    case SealOutcome::kSealed:
    case SealOutcome::kPresent:
      return wire::MissReason::kNone;
    case SealOutcome::kConflict:
      return wire::MissReason::kConflict;
    case SealOutcome::kParentAbsent:
    case SealOutcome::kParentPending:
      return wire::MissReason::kParentAbsent;
  }
  return wire::MissReason::kOverload;
}

}  // namespace

Landing Reactor::OnBulkArrival(EndpointId id, absl::Span<const std::byte> header,
                               uint64_t bulk_bytes) {
  Endpoint* endpoint = Find(id);
  const auto put = wire::DecodePutHeader(header, bulk_bytes);
  if (!put.ok() || endpoint == nullptr || endpoint->session == nullptr ||
      endpoint->lane != wire::Lane::kBulk) {
    channel_.counters.bad_messages.Add(1);
    return Landing::Refuse();
  }
  endpoint->last_heard = now_;
  channel_.counters.puts.Add(1);
  Session& session = *endpoint->session;
  uint32_t put_index = 0;
  const wire::MissReason reason = ReservePut(session, id, **put, &put_index);
  if (put_index == kPutsMax) {
    ReplyPut(session, (*put)->request, reason);
    return Landing::Refuse();
  }
  const BlockInfo info = shard_->Info(puts_[put_index].block);
  return {true, {arena_.get(), info.offset_bytes, info.length_bytes}, put_index};
}

// *put_index == kPutsMax: nothing is to be received, for the reason, or (kNone) it is here already.
wire::MissReason Reactor::ReservePut(Session& session, EndpointId id, const wire::PutHeader& header,
                                     uint32_t* put_index) {
  *put_index = kPutsMax;
  if (header.incarnation != incarnation_) return wire::MissReason::kIncarnation;
  if ((session.rights & kRightWrite) == 0) return wire::MissReason::kSession;
  if (channel_.draining.load(std::memory_order_relaxed)) return wire::MissReason::kDraining;
#ifndef CAIRN_SABOTAGE_DEADLINE
  if (header.budget_us == 0) return wire::MissReason::kDeadline;
#endif
  if (free_puts_.empty() || session.puts >= options_.puts_per_session_max) {
    return wire::MissReason::kOverload;
  }
  const absl::StatusOr<ScopeId> scope = shard_->InternScope(session.tenant, header.ns);
  if (!scope.ok()) return wire::MissReason::kOverload;
  const Reserved reserved =
      shard_->Reserve({*scope, header.key, header.parent, header.position, header.length,
                       header.checksum, ReturnHintOf(header.hints)});
  switch (reserved.outcome) {
    case ReserveOutcome::kReserved:
      break;
    case ReserveOutcome::kPresent:
      return wire::MissReason::kNone;
    case ReserveOutcome::kConflict:
      return wire::MissReason::kConflict;
    case ReserveOutcome::kNoCapacity:
      return wire::MissReason::kCapacity;
    case ReserveOutcome::kParentAbsent:
      return wire::MissReason::kParentAbsent;
  }
  *put_index = free_puts_.back();
  free_puts_.pop_back();
  puts_[*put_index] = {.session = &session,
                       .endpoint = id,
                       .request = header.request,
                       .block = reserved.block,
                       .key = header.key,
                       .parent = header.parent,
                       .ns = header.ns,
                       .checksum = header.checksum};
  ++session.puts;
  return wire::MissReason::kNone;
}

void Reactor::OnBulkReceived(EndpointId, uint64_t tag, absl::StatusCode code) {
  const auto put_index = static_cast<uint32_t>(tag);
  Put& put = puts_[put_index];
  CAIRN_CHECK(put.session != nullptr);
  if (code != absl::StatusCode::kOk) {
    put.broken = true;  // its slot is the lane's until OnClosed
    return;
  }
  LandPut(put_index);
}

void Reactor::LandPut(uint32_t put_index) {
  Put& put = puts_[put_index];
  const BlockInfo info = shard_->Info(put.block);
  const absl::Span<const std::byte> bytes =
      shard_->arena().subspan(info.offset_bytes, info.length_bytes);
  const BlockKey key = put.key;
#ifndef CAIRN_SABOTAGE_CHECKSUM
  if (MakeChecksum(put.key, put.ns, bytes) != put.checksum) {
    channel_.counters.checksum_failures.Add(1);
    shard_->Abort(put.block);
    EndPut(put_index, wire::MissReason::kChecksum);
    return SealWaiting(key);
  }
#endif
  channel_.counters.put_bytes.Add(bytes.size());
  if (SealPut(put_index)) SealWaiting(key);
}

// False: it waits for whoever writes its parent.
bool Reactor::SealPut(uint32_t put_index) {
  Put& put = puts_[put_index];
  const SealOutcome outcome = shard_->Seal(put.block);
  if (outcome == SealOutcome::kParentPending) {
    put.landed = true;
    waiting_puts_.emplace(put.parent, put_index);
    return false;
  }
  if (outcome == SealOutcome::kSealed) channel_.counters.put_sealed.Add(1);
  EndPut(put_index, Translate(outcome));
  return true;
}

// A tail may land before its head, also before a head that another session writes: what waits for
// `ended` is tried again, then what waits for that.
void Reactor::SealWaiting(const BlockKey& ended) {
  if (waiting_puts_.empty()) return;
  std::vector<BlockKey> keys{ended};
  while (!keys.empty()) {
    const auto [first, last] = waiting_puts_.equal_range(keys.back());
    keys.pop_back();
    std::vector<uint32_t> waiting;
    for (auto put = first; put != last; ++put) waiting.push_back(put->second);
    waiting_puts_.erase(first, last);
    for (const uint32_t put_index : waiting) {
      const BlockKey key = puts_[put_index].key;
      if (SealPut(put_index)) keys.push_back(key);
    }
  }
}

// Of an endpoint that is gone. What has landed goes, too: its parent may never come, and nobody
// waits for the answer.
void Reactor::DropPuts(const Session& session, EndpointId id) {
  std::vector<BlockKey> ended;
  for (uint32_t i = 0; i < kPutsMax; ++i) {
    if (puts_[i].session != &session || puts_[i].endpoint != id) continue;
    ended.push_back(puts_[i].key);
    AbortPut(i);
  }
  for (const BlockKey& key : ended) SealWaiting(key);
}

void Reactor::AbortPut(uint32_t put_index) {
  const Put& put = puts_[put_index];
  if (put.landed) {
    auto waiting = waiting_puts_.find(put.parent);
    while (waiting->second != put_index) ++waiting;
    waiting_puts_.erase(waiting);
  }
  shard_->Abort(put.block);
  EndPut(put_index, wire::MissReason::kNodeDown);
}

void Reactor::EndPut(uint32_t put_index, wire::MissReason reason) {
  Put& put = puts_[put_index];
  ReplyPut(*put.session, put.request, reason);
  --put.session->puts;
  put = Put{};
  free_puts_.push_back(put_index);
}

void Reactor::ReplyPut(Session& session, uint64_t request, wire::MissReason reason) {
  if (reason != wire::MissReason::kNone) Refuse(reason);
  wire::PutReply reply{};
  wire::Seal(reply, wire::MessageType::kPutReply);
  reply.request = request;
  reply.incarnation = incarnation_;
  reply.status = static_cast<uint16_t>(reason);
  const bool full = reason == wire::MissReason::kOverload || reason == wire::MissReason::kCapacity;
  reply.retry_after_ms = full ? kRetryAfter_ms : 0;
  if (session.control != EndpointId::kNone) Reply(session.control, reply);
}

}  // namespace cairn
