// Leases: blocks held for a client until it releases them, the lease expires on our clock, or the
// session ends.
#include <algorithm>

#include "base/check.h"
#include "server/node/reactor.h"

namespace cairn {

void Reactor::TakePin(Session& session, absl::Span<const std::byte> message) {
  const auto pin = wire::DecodePin(message);
  if (!pin.ok()) return channel_.counters.bad_messages.Add(1);
  wire::PinReply reply{};
  wire::Seal(reply, wire::MessageType::kPinReply);
  reply.request = pin->head->request;
  reply.lease = pin->head->lease;
  reply.incarnation = incarnation_;
  reply.block_count = pin->head->block_count;
  const wire::MissReason reason = AddLease(session, *pin, reply);
  reply.status = static_cast<uint16_t>(reason);
  if (reason != wire::MissReason::kNone) Refuse(reason);
  Reply(session.control, reply);
}

wire::MissReason Reactor::AddLease(Session& session, const wire::View<wire::Pin, BlockKey>& pin,
                                   wire::PinReply& reply) {
  if (pin.head->incarnation != incarnation_) return wire::MissReason::kIncarnation;
  if ((session.rights & kRightRead) == 0) return wire::MissReason::kSession;
  if (session.leases.size() >= kLeasesPerSessionMax) return wire::MissReason::kOverload;
  const absl::StatusOr<ScopeId> scope = shard_->InternScope(session.tenant, pin.head->ns);
  if (!scope.ok()) return wire::MissReason::kOverload;
  const auto [found, inserted] = session.leases.try_emplace(pin.head->lease);
  if (!inserted) return wire::MissReason::kLease;
  Lease& lease = found->second;
  const absl::Duration wanted = absl::Milliseconds(int64_t{pin.head->lease_ms});
  lease.expiry = now_ + std::min(wanted, options_.lease_max);
  for (size_t i = 0; i < pin.items.size(); ++i) {
    const BlockRef block = shard_->Pin(*scope, pin.items[i]);
    if (block == BlockRef::kNone) continue;
    // Loads begin now; only a drive that does not answer makes the block absent.
    if (!shard_->InDram(block) && StartLoad(block, kNever) == wire::MissReason::kDrive) {
      shard_->Unpin(block);
      continue;
    }
    const uint64_t bytes = shard_->Info(block).length_bytes;
    if (session.pinned_bytes + bytes > options_.pinned_bytes_per_session_max) {
      shard_->Unpin(block);
      break;
    }
    session.pinned_bytes += bytes;
    lease.bytes += bytes;
    lease.blocks.push_back(block);
    reply.held[i / 8] |= static_cast<std::byte>(1 << (i % 8));
  }
  if (lease.blocks.empty()) {
    session.leases.erase(found);
  } else {
    channel_.counters.leases.Add(1);
  }
  return wire::MissReason::kNone;
}

void Reactor::TakeRelease(Session& session, absl::Span<const std::byte> message) {
  const auto release = wire::DecodeRelease(message);
  if (!release.ok()) return channel_.counters.bad_messages.Add(1);
  const auto lease = session.leases.find((*release)->lease);
  if (lease == session.leases.end()) return;  // expired, or held nothing
  EndLease(session, lease->second);
  session.leases.erase(lease);
}

void Reactor::EndLease(Session& session, Lease& lease) {
  for (const BlockRef block : lease.blocks) shard_->Unpin(block);
  CAIRN_CHECK(session.pinned_bytes >= lease.bytes);
  session.pinned_bytes -= lease.bytes;
  channel_.counters.leases.Subtract(1);
}

}  // namespace cairn
