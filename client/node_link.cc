// Connections to nodes: one link per reactor, two endpoints (control, bulk) per link.
#include <algorithm>
#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/log.h"
#include "client/client_impl.h"

namespace cairn {
namespace {

constexpr uint32_t kPingsUnansweredMax = 3;

// Bounds for what a node may tell us.
constexpr uint32_t kAllowanceMax = 4096;

}  // namespace

LinkIndex ClientImpl::FindOrAddLink(const v1::LocateReply::Node& node, uint32_t reactor) {
  NodeId id;
  if (node.node_id().size() != sizeof(id) ||
      reactor >= static_cast<uint32_t>(node.reactor_addresses_size())) {
    return kNone;
  }
  std::memcpy(id.bytes.data(), node.node_id().data(), sizeof(id));
  const std::pair<NodeId, uint32_t> name{id, reactor};
  auto known = link_of_node_.find(name);
  if (known == link_of_node_.end()) {
    if (links_.size() >= kLinksMax) return kNone;
    known = link_of_node_.emplace(name, static_cast<LinkIndex>(links_.size())).first;
    links_.push_back(std::make_unique<Link>());
    links_.back()->backoff = options_.backoff_min;
  }
  Link& link = *links_[known->second];
  const std::string& address = node.reactor_addresses(static_cast<int>(reactor));
  // An older incarnation: this coordinator has not heard of the restart yet.
  if (node.incarnation() < link.newest_incarnation) return known->second;
  const bool connected = link.state == LinkState::kOpening || link.state == LinkState::kOpen;
  const bool restarted = link.state == LinkState::kOpen && node.incarnation() > link.incarnation;
  if (connected && (restarted || address != link.address)) {
    FailLink(known->second, wire::MissReason::kIncarnation);
  }
  link.newest_incarnation = node.incarnation();
  link.address = address;
  return known->second;
}

// False: its breaker is open.
bool ClientImpl::Usable(const Link& link) const {
  const bool connected = link.state == LinkState::kOpening || link.state == LinkState::kOpen;
  return connected || link.failures < options_.breaker_failures || now_ >= link.retry_at;
}

LinkIndex ClientImpl::LinkOf(EndpointId endpoint) const {
  const auto found = link_of_endpoint_.find(endpoint);
  return found == link_of_endpoint_.end() ? kNone : found->second;
}

void ClientImpl::OpenLink(LinkIndex index) {
  Link& link = *links_[index];
  link.state = LinkState::kOpening;
  link.opening_until = now_ + options_.connect_timeout;
  link.hellos_pending = 0;
  link.incarnation = 0;
  for (const wire::Lane lane : {wire::Lane::kControl, wire::Lane::kBulk}) {
    const absl::StatusOr<EndpointId> endpoint = worker_->Connect(link.address);
    if (!endpoint.ok()) {
      Log(LogLevel::kWarning, "connect_failed",
          {{"address", link.address}, {"why", endpoint.status().message()}});
      return FailLink(index, wire::MissReason::kNodeDown);
    }
    (lane == wire::Lane::kControl ? link.control : link.bulk) = *endpoint;
    link_of_endpoint_[*endpoint] = index;
    if (!SendHello(*endpoint, lane)) return FailLink(index, wire::MissReason::kNodeDown);
    ++link.hellos_pending;
  }
}

bool ClientImpl::SendHello(EndpointId endpoint, wire::Lane lane) {
  wire::Hello hello{};
  wire::Seal(hello, wire::MessageType::kHello);
  hello.version_min = wire::kWireVersionMin;
  hello.version_max = wire::kWireVersion;
  hello.lane = static_cast<uint16_t>(lane);
  hello.features = wire::kFeaturesSupported;
  hello.client = client_;
  hello.token = session_->token();
  return worker_->SendMessage(endpoint, wire::AsBytes(hello)).ok();
}

void ClientImpl::TakeHelloReply(LinkIndex index, absl::Span<const std::byte> message) {
  Link& link = *links_[index];
  if (link.state != LinkState::kOpening) return;
  const auto reply = wire::DecodeHelloReply(message);
  if (!reply.ok()) return FailLink(index, wire::MissReason::kVersion);
  const auto status = static_cast<wire::MissReason>(uint16_t{(*reply)->status});
  link.draining = status == wire::MissReason::kDraining;
  if (status == wire::MissReason::kSession) session_->Renew();
  if (status != wire::MissReason::kNone) return FailLink(index, status);
  if (link.incarnation != 0 && link.incarnation != (*reply)->incarnation) {
    return FailLink(index, wire::MissReason::kIncarnation);
  }
  link.incarnation = (*reply)->incarnation;
  link.newest_incarnation = std::max(link.newest_incarnation, link.incarnation);
  link.features = (*reply)->features;
  link.fetches_max = std::clamp<uint32_t>((*reply)->fetches_max, 1, kAllowanceMax);
  link.puts_max = std::clamp<uint32_t>((*reply)->puts_max, 1, kAllowanceMax);
  if (--link.hellos_pending > 0) return;
  link.state = LinkState::kOpen;
  link.backoff = options_.backoff_min;
  link.pings_unanswered = 0;
  link.next_ping = now_ + options_.heartbeat_interval;
  if (link.opened_before) ++statistics_.reconnects;
  link.opened_before = true;
}

void ClientImpl::OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) {
  const LinkIndex index = LinkOf(endpoint);
  const auto type = wire::DecodeType(message);
  if (index == kNone || links_[index]->state == LinkState::kClosing) return;
  if (!type.ok()) return FailLink(index, wire::MissReason::kVersion);
  Link& link = *links_[index];
  link.pings_unanswered = 0;
  switch (*type) {
    case wire::MessageType::kHelloReply:
      return TakeHelloReply(index, message);
    case wire::MessageType::kPinReply:
      return TakePinReply(index, message);
    case wire::MessageType::kFetchReply:
      return TakeFetchReply(index, message);
    case wire::MessageType::kPutReply:
      return TakePutReply(index, message);
    case wire::MessageType::kGoodbye:
      link.draining = true;
      return;
    default:
      return;
  }
}

// Visits what is queued on the link or in its node's hands.
template <typename Visit>
void ClientImpl::ForEachOperationOf(LinkIndex link, Visit visit) {
  for (const uint32_t batch : active_batches_) {
    for (const uint32_t index : batches_[batch]->operations) {
      const Operation& operation = operations_[index];
      if (operation.stage == Stage::kFree || operation.batch != batch) continue;
      if (operation.link == link) visit(index);
    }
  }
}

// The node is not to be reached: what waits for it fails, too.
void ClientImpl::FailLink(LinkIndex index, wire::MissReason reason) {
  CloseLink(index, reason);
  ForEachOperationOf(index, [&](uint32_t operation) {
    if (operations_[operation].stage != Stage::kQueued) return;
    locations_.Forget(operations_[operation].key);
    Complete(operation, reason);
  });
}

// Tears both endpoints down. What is sent ends for `reason`: at once when no lane holds its bytes,
// otherwise with OnClosed. What is queued stays for the next connection.
void ClientImpl::CloseLink(LinkIndex index, wire::MissReason reason) {
  Link& link = *links_[index];
  if (link.state == LinkState::kIdle || link.state == LinkState::kClosing) return;
  link.state = LinkState::kClosing;
  link.retry_at = now_;
  if (reason != wire::MissReason::kIncarnation) {
    ++link.failures;
    const bool broken = link.failures >= options_.breaker_failures;
    // A connection that worked is tried again at once.
    const absl::Duration backoff = link.failures == 1 ? absl::ZeroDuration() : link.backoff;
    const absl::Duration wait = broken ? std::max(options_.breaker_open, backoff) : backoff;
    const auto jitter_ppm = static_cast<int64_t>(random_.Below(500'000));
    link.retry_at = now_ + wait + wait * jitter_ppm / 1'000'000;
    if (link.failures > 1) link.backoff = std::min(link.backoff * 2, options_.backoff_max);
  }
  FailPins(index, reason);
  ForEachOperationOf(index, [&](uint32_t i) {
    Operation& operation = operations_[i];
    if (operation.stage != Stage::kSent) return;
    if (operation.transfers_in_flight == 0 && !operation.ending) return Complete(i, reason);
    if (!operation.ending) operation.reason = reason;
    operation.ending = true;
  });
  for (const EndpointId endpoint : {link.control, link.bulk}) {
    if (endpoint != EndpointId::kNone) worker_->Close(endpoint);
  }
  if (link.control == EndpointId::kNone && link.bulk == EndpointId::kNone) {
    link.state = LinkState::kIdle;
  }
}

void ClientImpl::OnFailed(EndpointId endpoint, const absl::Status&) {
  const LinkIndex index = LinkOf(endpoint);
  if (index != kNone) FailLink(index, wire::MissReason::kNodeDown);
}

// The lane has let go of every buffer of this endpoint.
void ClientImpl::OnClosed(EndpointId endpoint) {
  const LinkIndex index = LinkOf(endpoint);
  CAIRN_CHECK(index != kNone);
  link_of_endpoint_.erase(endpoint);
  Link& link = *links_[index];
  if (endpoint == link.bulk) {
    link.bulk = EndpointId::kNone;
    ForEachOperationOf(index, [&](uint32_t i) {
      const Operation& operation = operations_[i];
      if (operation.stage == Stage::kSent) Complete(i, operation.reason);
    });
  } else {
    link.control = EndpointId::kNone;
  }
  if (link.control == EndpointId::kNone && link.bulk == EndpointId::kNone) {
    link.state = LinkState::kIdle;
  }
}

void ClientImpl::TendLinks() {
  for (LinkIndex i = 0; i < links_.size(); ++i) {
    TendLink(i);
    Pump(i);
  }
}

void ClientImpl::TendLink(LinkIndex index) {
  Link& link = *links_[index];
  if (link.state == LinkState::kOpening && now_ >= link.opening_until) {
    return FailLink(index, wire::MissReason::kNodeDown);
  }
  if (link.state != LinkState::kOpen || now_ < link.next_ping) return;
  if (link.pings_unanswered >= kPingsUnansweredMax) {
    return FailLink(index, wire::MissReason::kNodeDown);
  }
  wire::Ping ping{};
  wire::Seal(ping, wire::MessageType::kPing);
  ping.incarnation = link.incarnation;
  // A full endpoint counts as an unanswered ping, too.
  (void)worker_->SendMessage(link.control, wire::AsBytes(ping));
  ++link.pings_unanswered;
  link.next_ping = now_ + options_.heartbeat_interval;
}

void ClientImpl::Pump(LinkIndex index) {
  Link& link = *links_[index];
  const bool work =
      link.gets.first != kNone || link.puts_queued.first != kNone || !link.queued_pins.empty();
  if (!work) return;
  if (link.state == LinkState::kIdle && now_ >= link.retry_at) return OpenLink(index);
  if (link.state != LinkState::kOpen) return;
  size_t sent = 0;
  while (sent < link.queued_pins.size() && SendPin(link, link.queued_pins[sent])) ++sent;
  link.queued_pins.erase(link.queued_pins.begin(),
                         link.queued_pins.begin() + static_cast<ptrdiff_t>(sent));
  PumpGets(index);
  PumpPuts(index);
}

}  // namespace cairn
