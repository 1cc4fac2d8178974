// Blocks to clients: queue, push in chunks within the caps, unpin when the lane is done.
#include <algorithm>

#include "base/check.h"
#include "proto/urgency.h"
#include "server/node/reactor.h"

namespace cairn {
namespace {

constexpr uint32_t kChunksPerTurn = 4;  // of one session before the next has its turn

// A bulk's tag names its send record and which chunk of it this is.
uint64_t ChunkTag(uint32_t send_index, uint32_t chunk) {
  return uint64_t{send_index} << 32 | chunk;
}

uint32_t ChunkBytes(const Send& send, uint32_t offset) {
  return std::min(send.chunk_bytes, send.info.length_bytes - offset);
}

}  // namespace

void Reactor::TakeFetch(Session& session, absl::Span<const std::byte> message) {
  const auto fetch = wire::DecodeFetch(message);
  if (!fetch.ok()) return channel_.counters.bad_messages.Add(1);
  if (session.tenant != kSelfTenant) channel_.counters.gets.Add(fetch->items.size());
  wire::MissReason whole = wire::MissReason::kNone;
  if (fetch->head->incarnation != incarnation_) whole = wire::MissReason::kIncarnation;
  if ((session.rights & kRightRead) == 0) whole = wire::MissReason::kSession;
  const absl::StatusOr<ScopeId> scope = shard_->InternScope(session.tenant, fetch->head->ns);
  if (!scope.ok()) whole = wire::MissReason::kOverload;
  const auto budget = static_cast<int64_t>(
      std::min<uint64_t>(fetch->head->budget_us, 3'600'000'000u));  // an hour bounds the arithmetic
  const Instant deadline = now_ + absl::Microseconds(budget);
  const auto count = static_cast<uint16_t>(fetch->items.size());  // at most kFetchBlocksMax
  for (uint16_t i = 0; i < count; ++i) {
    const wire::MissReason reason =
        whole != wire::MissReason::kNone ? whole : QueueSend(session, *fetch, *scope, i, deadline);
    if (reason == wire::MissReason::kNone) continue;
    ReplyFailure(session, fetch->head->request, i, reason);
  }
}

wire::MissReason Reactor::QueueSend(Session& session,
                                    const wire::View<wire::Fetch, wire::FetchBlock>& fetch,
                                    ScopeId scope, uint16_t block_index, Instant deadline) {
#ifndef CAIRN_SABOTAGE_DEADLINE
  if (deadline <= now_) return wire::MissReason::kDeadline;
#endif
  const uint32_t sends_max = options_.fetches_per_session_max * wire::kFetchBlocksMax;
  if (free_sends_.empty() || session.sends >= sends_max) return wire::MissReason::kOverload;
  if (session.bulk == EndpointId::kNone) return wire::MissReason::kSession;
  const wire::FetchBlock& wanted = fetch.items[block_index];
  const BlockRef block = shard_->Pin(scope, wanted.key);
  if (block == BlockRef::kNone) return wire::MissReason::kAbsent;
  const BlockInfo info = shard_->Info(block);
  if (info.length_bytes != wanted.length) {
    shard_->Unpin(block);
    return wire::MissReason::kLength;
  }
  if (!shard_->Verify(block)) {
    shard_->Unpin(block);
    return wire::MissReason::kChecksum;
  }
  const bool in_dram = shard_->InDram(block);
  if (!in_dram) {
    const wire::MissReason reason = StartLoad(block, deadline);
    if (reason != wire::MissReason::kNone) {
      shard_->Unpin(block);
      return reason;
    }
  }
  const uint32_t send_index = free_sends_.back();
  free_sends_.pop_back();
  Send& send = sends_[send_index];
  send = Send{};
  send.session = &session;
  send.endpoint = session.bulk;
  send.request = fetch.head->request;
  send.block_index = block_index;
  send.block = block;
  send.info = info;
  send.chunk_bytes = wanted.chunk_bytes;
  if (send.chunk_bytes == 0) send.chunk_bytes = options_.chunk_bytes;
  send.tier = in_dram ? v1::DRAM_TIER : v1::NVME_TIER;
  send.times.asked = now_;
  send.deadline = deadline;
  send.urgency = UrgencyOf(static_cast<wire::Urgency>(uint16_t{fetch.head->urgency}));
  ++session.sends;
  channel_.counters.sends.Add(1);
  in_dram ? Enqueue(send_index) : Await(send_index);
  return wire::MissReason::kNone;
}

void Reactor::Enqueue(uint32_t send_index) {
  Session& session = *sends_[send_index].session;
  sends_[send_index].times.in_memory = now_;
  session.queue.push_back(send_index);
  if (session.in_ring) return;
  session.in_ring = true;
  ring_.push_back(&session);
}

void Reactor::ReplyFailure(Session& session, uint64_t request, uint16_t block_index,
                           wire::MissReason reason) {
  Refuse(reason);
  struct {
    wire::FetchReply reply;
    wire::FetchFailure failure;
  } message{};
  wire::Seal(message.reply, wire::MessageType::kFetchReply, sizeof(message.failure));
  message.reply.request = request;
  message.reply.incarnation = incarnation_;
  message.reply.failure_count = 1;
  message.failure.block_index = block_index;
  message.failure.reason = static_cast<uint16_t>(reason);
  Reply(session.control, message);
}

size_t Reactor::PumpSends() {
  size_t sent = 0;
  for (size_t turns = ring_.size(); turns > 0; --turns) {
    Session* session = ring_.front();
    ring_.pop_front();
    const bool more = PumpSession(*session);
    if (more) {
      ring_.push_back(session);
    } else {
      session->in_ring = false;
    }
    ++sent;
  }
  return sent;
}

// False: nothing more to send, or a cap is reached (a completion brings the session back).
bool Reactor::PumpSession(Session& session) {
  for (uint32_t chunk = 0; chunk < kChunksPerTurn && !session.queue.empty(); ++chunk) {
    const uint32_t send_index = session.queue.front();
    Send& send = sends_[send_index];
    if (send.stopped) {
      session.queue.pop_front();
      FreeSendIfDone(send_index);
      continue;
    }
#ifndef CAIRN_SABOTAGE_DEADLINE
    if (send.deadline <= now_) {
      ReplyFailure(session, send.request, send.block_index, wire::MissReason::kDeadline);
      send.stopped = true;
      continue;
    }
#endif
    // Without anything in flight no completion would bring the session back.
    if (!SendChunk(session, send_index)) return session.inflight_bytes == 0;
    if (send.next_offset == send.info.length_bytes) session.queue.pop_front();
  }
  return !session.queue.empty();
}

bool Reactor::SendChunk(Session& session, uint32_t send_index) {
  Send& send = sends_[send_index];
  const uint32_t bytes = ChunkBytes(send, send.next_offset);
  uint64_t& tenant_bytes = tenant_inflight_bytes_[session.tenant];
  // A lone chunk always goes, or a cap below its size would stop the session for ever.
  const bool over_session =
      session.inflight_bytes > 0 && session.inflight_bytes + bytes > session.inflight_bytes_max;
  const bool over_tenant =
      tenant_bytes > 0 && tenant_bytes + bytes > options_.tenant_inflight_bytes_max;
  if (over_session || over_tenant) return false;
  wire::DataHeader header{};
  header.magic = wire::kDataMagic;
  header.version = wire::kWireVersion;
  header.block_index = send.block_index;
  header.request = send.request;
  header.incarnation = incarnation_;
  header.offset = send.next_offset;
  header.chunk_bytes = bytes;
  header.block_bytes = send.info.length_bytes;
  header.checksum = send.info.checksum;
  Bulk bulk;
  bulk.header = wire::AsBytes(header);
  bulk.source = {arena_.get(), send.info.offset_bytes + send.next_offset, bytes};
  bulk.tag = ChunkTag(send_index, send.next_offset / send.chunk_bytes);
  // The chunks that went before it in this Poll may have been copied by the lane.
  const bool first = send.next_offset == 0;
  if (first && options_.record_latencies) send.times.handed = clock_.Now();
  const absl::Status status = worker_->SendBulks(send.endpoint, {&bulk, 1});
  if (absl::IsResourceExhausted(status)) return false;
  if (!status.ok()) {
    send.stopped = true;
    return true;
  }
  session.inflight_bytes += bytes;
  tenant_bytes += bytes;
  ++send.chunks_in_flight;
  send.next_offset += bytes;
  return true;
}

void Reactor::OnBulkSent(EndpointId, uint64_t tag, absl::StatusCode code) {
  const auto send_index = static_cast<uint32_t>(tag >> 32);
  Send& send = sends_[send_index];
  CAIRN_CHECK(send.session != nullptr && send.chunks_in_flight > 0);
  Session& session = *send.session;
  const auto chunk = static_cast<uint32_t>(tag);
  const uint32_t bytes = ChunkBytes(send, chunk * send.chunk_bytes);
  session.inflight_bytes -= bytes;
  tenant_inflight_bytes_[session.tenant] -= bytes;
  --send.chunks_in_flight;
  if (code == absl::StatusCode::kOk) {
    channel_.counters.get_bytes.Add(bytes);
  } else {
    send.broken = true;
    send.stopped = true;
  }
  FreeSendIfDone(send_index);
  if (!session.queue.empty() && !session.in_ring) {
    session.in_ring = true;
    ring_.push_back(&session);
  }
}

// The pin goes with the last completion; after a failed chunk only when its endpoint is gone.
void Reactor::FreeSendIfDone(uint32_t send_index) {
  Send& send = sends_[send_index];
  const bool whole = send.next_offset == send.info.length_bytes;
  if (send.chunks_in_flight > 0 || (!whole && !send.stopped)) return;
  if (send.broken && Find(send.endpoint) != nullptr) return;
  Session& session = *send.session;
  // A stopped send may still stand in the queue; it is freed when it gets to the front.
  if (!whole &&
      std::find(session.queue.begin(), session.queue.end(), send_index) != session.queue.end()) {
    return;
  }
  if (whole && !send.stopped) CountDelivered(send);
  shard_->Unpin(send.block);
  --session.sends;
  channel_.counters.sends.Subtract(1);
  send = Send{};
  free_sends_.push_back(send_index);
}

void Reactor::CountDelivered(Send& send) {
  channel_.counters.get_hits.Add(1);
  if (!options_.record_latencies || send.session->tenant == kSelfTenant) return;
  send.times.done = now_;
  channel_.latencies.Record(send.session->tenant, send.tier, send.urgency, send.info.length_bytes,
                            send.times);
}

void Reactor::TakeCancel(Session& session, absl::Span<const std::byte> message) {
  const auto cancel = wire::DecodeCancel(message);
  if (!cancel.ok()) return channel_.counters.bad_messages.Add(1);
  for (const uint32_t send_index : session.queue) {
    if (sends_[send_index].request == (*cancel)->request) sends_[send_index].stopped = true;
  }
  for (uint32_t i = 0; session.waiting_sends > 0 && i < kSendsMax; ++i) {
    const Send& send = sends_[i];
    const bool wanted = send.session == &session && send.request == (*cancel)->request;
    if (wanted && send.waiting) StopAwaiting(i);
  }
}

}  // namespace cairn
