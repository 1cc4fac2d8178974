// How an endpoint becomes a lane of a session.
#include <algorithm>

#include "base/check.h"
#include "server/node/reactor.h"

namespace cairn {
namespace {

// A refused peer's reply gets this long to leave before its endpoint is torn down.
constexpr absl::Duration kRefusalLinger = absl::Milliseconds(200);

}  // namespace

void Reactor::TakeHello(EndpointId id, Endpoint& endpoint, absl::Span<const std::byte> message) {
  const auto hello = wire::DecodeHello(message);
  if (!hello.ok() || endpoint.session != nullptr) {
    channel_.counters.bad_messages.Add(1);
    return CloseEndpoint(id);
  }
  const wire::MissReason reason = OpenSession(id, endpoint, **hello);
  wire::HelloReply reply{};
  wire::Seal(reply, wire::MessageType::kHelloReply);
  reply.status = static_cast<uint16_t>(reason);
  reply.version = wire::NegotiateVersion((*hello)->version_min, (*hello)->version_max);
  reply.features = (*hello)->features & wire::kFeaturesSupported;
  reply.incarnation = incarnation_;
  reply.reactor = index_;
  reply.fetches_max = options_.fetches_per_session_max;
  reply.puts_max = options_.puts_per_session_max;
  reply.lease_ms_max = static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.lease_max));
  if (reason == wire::MissReason::kNone) {
    reply.inflight_bytes_max = endpoint.session->inflight_bytes_max;
  } else {
    channel_.counters.refused_hellos.Add(1);
    endpoint.close_at = now_ + kRefusalLinger;
  }
  Reply(id, reply);
}

wire::MissReason Reactor::OpenSession(EndpointId id, Endpoint& endpoint, const wire::Hello& hello) {
  if (wire::NegotiateVersion(hello.version_min, hello.version_max) == 0) {
    return wire::MissReason::kVersion;
  }
  if (channel_.draining.load(std::memory_order_relaxed)) return wire::MissReason::kDraining;
  const absl::StatusOr<TokenClaims> claims =
      VerifyToken(hello.token, token_keys_, clock_.UnixSeconds());
  if (!claims.ok() || claims->client != hello.client) return wire::MissReason::kSession;
  const SessionName name{claims->tenant, claims->client};
  auto found = sessions_.find(name);
  if (found == sessions_.end()) {
    if (sessions_.size() >= options_.sessions_max) return wire::MissReason::kOverload;
    found = sessions_.emplace(name, std::make_unique<Session>()).first;
    found->second->tenant = claims->tenant;
    found->second->client = claims->client;
    channel_.counters.sessions.Set(sessions_.size());
  }
  Session& session = *found->second;
  const auto lane = static_cast<wire::Lane>(uint16_t{hello.lane});
  EndpointId& slot = lane == wire::Lane::kControl ? session.control : session.bulk;
  // The newest connection of a lane is the client's: the one before is dying unnoticed.
  if (slot != EndpointId::kNone) CloseEndpoint(slot);
  slot = id;
  session.rights = claims->rights;
  session.inflight_bytes_max = options_.session_inflight_bytes_max;
  if (claims->inflight_bytes_max > 0) {
    session.inflight_bytes_max = std::min(session.inflight_bytes_max, claims->inflight_bytes_max);
  }
  endpoint.session = &session;
  endpoint.lane = lane;
  return wire::MissReason::kNone;
}

void Reactor::TakePing(EndpointId id, absl::Span<const std::byte> message) {
  const auto ping = wire::DecodePing(message);
  if (!ping.ok()) return;
  wire::Ping pong{};
  wire::Seal(pong, wire::MessageType::kPong);
  pong.nonce = (*ping)->nonce;
  pong.incarnation = incarnation_;
  Reply(id, pong);
}

}  // namespace cairn
