// Finds and holds the longest prefix: locate, pin at each node, count what is held.
#include <algorithm>
#include <map>
#include <set>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "client/client_impl.h"

namespace cairn {

absl::Status ClientImpl::Match(absl::Span<const BlockKey> chain, uint64_t tag, Instant deadline) {
  if (chain.empty() || chain.size() > kMatchKeysMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("chain: ", chain.size(), " keys; 1 to ", kMatchKeysMax));
  }
  if (matches_.size() >= kMatchesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("match: ", kMatchesMax, " are in flight; Poll and retry"));
  }
  BeginCall();
  ++statistics_.matches;
  const uint64_t id = next_id_++;
  MatchOperation& match = matches_[id];
  match.tag = tag;
  match.deadline = deadline;
  match.late_after = LateAfter(deadline);
  match.chain.assign(chain.begin(), chain.end());
  match.held.assign(chain.size(), false);
  match.reasons.assign(chain.size(), wire::MissReason::kAbsent);
  BeginMatch(id);
  return absl::OkStatus();
}

// Those that wait for a session.
void ClientImpl::BeginMatches() {
  if (matches_waiting_ == 0 || (!session_->open() && !session_->failing())) return;
  std::vector<uint64_t> waiting;
  for (const auto& [id, match] : matches_) {
    if (!match.begun) waiting.push_back(id);
  }
  matches_waiting_ = 0;
  for (const uint64_t id : waiting) BeginMatch(id);
}

void ClientImpl::BeginMatch(uint64_t id) {
  MatchOperation& match = matches_.at(id);
  const std::vector<LinkIndex> cached = CachedPrefix(match.chain);
  const bool whole = cached.back() != kNone;
  if (!whole && !session_->open() && !session_->failing()) {
    ++matches_waiting_;
    return;
  }
  match.begun = true;
  if (whole) {
    ++statistics_.location_cache_hits;
    return PinAt(id, cached);
  }
  if (!session_->open()) return TakeLocations(id, absl::UnavailableError("no session"));
  ++statistics_.locates;
  v1::LocateRequest request;
  request.set_namespace_id(ns_.bytes.data(), ns_.bytes.size());
  request.set_keys(match.chain.data(), match.chain.size() * sizeof(BlockKey));
  session_->Locate(std::move(request), LocateTimeout(match.deadline),
                   [this, id](const absl::StatusOr<v1::LocateReply>& reply) {
                     if (matches_.contains(id)) TakeLocations(id, reply);
                   });
}

// The links of the leading blocks that the cache knows, then kNone.
std::vector<LinkIndex> ClientImpl::CachedPrefix(const std::vector<BlockKey>& chain) const {
  std::vector<LinkIndex> links(chain.size(), kNone);
  for (size_t i = 0; i < chain.size(); ++i) {
    const std::optional<LinkIndex> link = locations_.Find(chain[i]);
    if (!link.has_value()) break;
    links[i] = *link;
  }
  return links;
}

void ClientImpl::TakeLocations(uint64_t id, const absl::StatusOr<v1::LocateReply>& reply) {
  MatchOperation& match = matches_.at(id);
  if (reply.ok()) {
    if (reply->nodes_size() == 0) match.reasons[0] = wire::MissReason::kNoNode;
    return PinAt(id, Learn(match.chain, *reply));
  }
  std::fill(match.reasons.begin(), match.reasons.end(), wire::MissReason::kNoCoordinator);
  PinAt(id, CachedPrefix(match.chain));
}

// Where each block is or would be placed: the index lags behind the nodes by a few milliseconds, so
// the nodes of the placement are asked, too.
std::vector<LinkIndex> ClientImpl::Learn(const std::vector<BlockKey>& chain,
                                         const v1::LocateReply& reply) {
  std::vector<LinkIndex> links = Places(reply.available(), reply, chain.size());
  const std::vector<LinkIndex> placed = Places(reply.placement(), reply, chain.size());
  for (uint32_t i = 0; i < links.size(); ++i) {
    const bool available = links[i] != kNone;
    if (!available) links[i] = placed[i];
    // Puts look a run's place up by its head.
    if (links[i] != kNone && (available || RunStart(i) == i)) locations_.Learn(chain[i], links[i]);
  }
  return links;
}

void ClientImpl::PinAt(uint64_t id, const std::vector<LinkIndex>& links) {
  MatchOperation& match = matches_.at(id);
  std::map<LinkIndex, std::vector<uint32_t>> blocks_of;
  for (uint32_t i = 0; i < links.size() && links[i] != kNone; ++i) {
    if (!Usable(*links_[links[i]])) {
      match.reasons[i] = wire::MissReason::kCircuitOpen;
      break;  // what is behind it could not be used
    }
    blocks_of[links[i]].push_back(i);
  }
  match.pins_pending = 1;  // ours, until all are on their way
  for (const auto& [link, blocks] : blocks_of) {
    for (size_t first = 0; first < blocks.size(); first += wire::kPinBlocksMax) {
      const size_t end = std::min<size_t>(first + wire::kPinBlocksMax, blocks.size());
      const uint64_t request = next_id_++;
      PendingPin& pin = pins_[request];
      pin.match = id;
      pin.lease = {link, next_id_++};
      pin.indices.assign(blocks.begin() + static_cast<ptrdiff_t>(first),
                         blocks.begin() + static_cast<ptrdiff_t>(end));
      ++match.pins_pending;
      links_[link]->queued_pins.push_back(request);
    }
  }
  for (const auto& [link, blocks] : blocks_of) Pump(link);
  EndPin(id);
}

// False: the endpoint is full; later.
bool ClientImpl::SendPin(Link& link, uint64_t request) {
  const auto found = pins_.find(request);
  if (found == pins_.end()) return true;  // its match met its deadline
  const PendingPin& pin = found->second;
  const MatchOperation& match = matches_.at(pin.match);
  struct {
    wire::Pin head;
    std::array<BlockKey, wire::kPinBlocksMax> keys;
  } message{};
  const size_t extra_bytes = pin.indices.size() * sizeof(BlockKey);
  wire::Seal(message.head, wire::MessageType::kPin, extra_bytes);
  message.head.request = request;
  message.head.incarnation = link.incarnation;
  message.head.lease = pin.lease.id;
  message.head.ns = ns_;
  message.head.block_count = static_cast<uint32_t>(pin.indices.size());
  message.head.lease_ms = static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.lease));
  message.head.budget_us = BudgetUntil(match.deadline);
  for (size_t i = 0; i < pin.indices.size(); ++i) message.keys[i] = match.chain[pin.indices[i]];
  const absl::Status status = worker_->SendMessage(
      link.control,
      {reinterpret_cast<const std::byte*>(&message), sizeof(wire::Pin) + extra_bytes});
  return !absl::IsResourceExhausted(status);
}

void ClientImpl::TakePinReply(LinkIndex index, absl::Span<const std::byte> message) {
  const auto reply = wire::DecodePinReply(message);
  if (!reply.ok()) return FailLink(index, wire::MissReason::kVersion);
  const auto found = pins_.find((*reply)->request);
  const auto status = static_cast<wire::MissReason>(uint16_t{(*reply)->status});
  if (found == pins_.end() || found->second.lease.link != index ||
      found->second.lease.id != (*reply)->lease ||
      found->second.indices.size() != (*reply)->block_count) {
    // Nobody waits for it any more.
    if (status == wire::MissReason::kNone) SendRelease({index, (*reply)->lease});
    return;
  }
  const PendingPin pin = std::move(found->second);
  pins_.erase(found);
  MatchOperation& match = matches_.at(pin.match);
  uint32_t first_held = kNone;
  for (size_t i = 0; i < pin.indices.size(); ++i) {
    const uint32_t position = pin.indices[i];
    const bool held = ((*reply)->held[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0};
    if (held) {
      match.held[position] = true;
      locations_.Learn(match.chain[position], index);
      first_held = std::min(first_held, position);
    } else {
      if (status != wire::MissReason::kNone) match.reasons[position] = status;
      // A run's place is still good for puts.
      if (RunStart(position) != position) locations_.Forget(match.chain[position]);
    }
  }
  if (first_held != kNone) match.leases.push_back({pin.lease, first_held});
  EndPin(pin.match);
}

void ClientImpl::FailPins(LinkIndex index, wire::MissReason reason) {
  links_[index]->queued_pins.clear();
  std::vector<uint64_t> requests;
  for (const auto& [request, pin] : pins_) {
    if (pin.lease.link == index) requests.push_back(request);
  }
  for (const uint64_t request : requests) {
    const PendingPin pin = std::move(pins_.at(request));
    pins_.erase(request);
    MatchOperation& match = matches_.at(pin.match);
    for (const uint32_t position : pin.indices) {
      match.reasons[position] = reason;
      locations_.Forget(match.chain[position]);
    }
    EndPin(pin.match);
  }
}

void ClientImpl::EndPin(uint64_t match) {
  if (--matches_.at(match).pins_pending == 0) EndMatch(match);
}

void ClientImpl::EndMatch(uint64_t id) {
  const MatchOperation match = std::move(matches_.at(id));
  matches_.erase(id);
  const auto gap = std::find(match.held.begin(), match.held.end(), false);
  const auto blocks = static_cast<uint32_t>(gap - match.held.begin());
  Completion completion;
  completion.tag = match.tag;
  completion.blocks = blocks;
  if (blocks < match.chain.size()) completion.reason = match.reasons[blocks];
  if (blocks == 0 && completion.reason == wire::MissReason::kDeadline) {
    completion.code = absl::StatusCode::kDeadlineExceeded;
  }
  if (blocks == 0) ++statistics_.misses_by_reason[static_cast<size_t>(completion.reason)];
  if (options_.telemetry) {
    figures_.CountMatch(match.chain.size(), blocks, completion.reason);
    figures_.CountEnd(now_ > match.late_after);
  }
  ClientLease lease;
  for (const HeldLease& held : match.leases) {
    if (held.first_index < blocks) {
      lease.parts.push_back(held.lease);
    } else {
      SendRelease(held.lease);
    }
  }
  if (blocks > 0) {
    completion.lease = static_cast<LeaseId>(id);
    lease.expiry = now_ + options_.lease;
    leases_.emplace(id, std::move(lease));
  }
  AddCompletion(completion, true);
}

// What is held by then is a good answer; pins that come later are released.
void ClientImpl::ExpireMatches() {
  std::vector<uint64_t> late;
  for (const auto& [id, match] : matches_) {
    if (now_ >= match.deadline - options_.fence_margin) late.push_back(id);
  }
  if (late.empty()) return;
  const std::set<uint64_t> ids(late.begin(), late.end());
  std::erase_if(pins_, [&](const auto& pin) {
    if (!ids.contains(pin.second.match)) return false;
    MatchOperation& match = matches_.at(pin.second.match);
    for (const uint32_t i : pin.second.indices) match.reasons[i] = wire::MissReason::kDeadline;
    return true;
  });
  for (const uint64_t id : late) {
    MatchOperation& match = matches_.at(id);
    if (match.pins_pending == 0) {  // no location yet
      std::fill(match.reasons.begin(), match.reasons.end(), wire::MissReason::kDeadline);
    }
    EndMatch(id);
  }
}

void ClientImpl::ExpireLeases() {
  while (!leases_.empty() && leases_.begin()->second.expiry <= now_) {
    leases_.erase(leases_.begin());
  }
}

void ClientImpl::Release(LeaseId lease) {
  const auto found = leases_.find(static_cast<uint64_t>(lease));
  if (found == leases_.end()) return;
  for (const NodeLease& part : found->second.parts) SendRelease(part);
  leases_.erase(found);
}

// A lost release costs the node the rest of the lease, no more.
void ClientImpl::SendRelease(const NodeLease& lease) {
  const Link& link = *links_[lease.link];
  if (link.state != LinkState::kOpen) return;
  wire::Release release{};
  wire::Seal(release, wire::MessageType::kRelease);
  release.lease = lease.id;
  (void)worker_->SendMessage(link.control, wire::AsBytes(release));
}

}  // namespace cairn
