#include "server/coordinator/membership.h"

#include <algorithm>
#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

absl::Status CheckRegistration(const v1::RegisterNodeRequest& request) {
  const int reactors = request.reactor_addresses_size();
  if (reactors < 1 || reactors > static_cast<int>(kReactorsPerNodeMax)) {
    return absl::InvalidArgumentError(
        absl::StrCat("reactor_addresses: ", reactors, " given; 1 to ", kReactorsPerNodeMax));
  }
  if (request.incarnation() == 0) {
    return absl::InvalidArgumentError("incarnation: 0; a node counts from 1");
  }
  if (request.capacity_bytes() == 0) {
    return absl::InvalidArgumentError("capacity_bytes: 0; a node must offer memory");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeId> ParseNodeId(const std::string& bytes, const char* field) {
  NodeId id;
  if (bytes.size() != id.bytes.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", bytes.size(), " bytes; an id has ", id.bytes.size()));
  }
  std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

absl::StatusOr<NodeSlot> Membership::Register(const v1::RegisterNodeRequest& request,
                                              bool* restarted) {
  CAIRN_RETURN_IF_ERROR(CheckRegistration(request));
  CAIRN_ASSIGN_OR_RETURN(const NodeId id, ParseNodeId(request.node_id(), "node_id"));
  const auto known = slots_.find(id);
  if (known == slots_.end() && members_.size() == kNodesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("this coordinator knows ", kNodesMax,
                                                     " nodes; restart it to forget dead ones"));
  }
  if (known == slots_.end()) {
    slots_[id] = static_cast<NodeSlot>(members_.size());
    members_.emplace_back().id = id;
  }
  const NodeSlot slot = slots_[id];
  Member& member = members_[slot];
  if (request.incarnation() < member.incarnation) {
    return absl::FailedPreconditionError(
        absl::StrCat("incarnation: ", request.incarnation(), " is older than ", member.incarnation,
                     "; another process runs with this node's state folder"));
  }
  *restarted = request.incarnation() > member.incarnation;
  member.incarnation = request.incarnation();
  member.reactor_addresses.assign(request.reactor_addresses().begin(),
                                  request.reactor_addresses().end());
  member.http_address = request.http_address();
  member.version = request.version();
  member.capacity_bytes = request.capacity_bytes();
  member.lost = false;
  member.last_heartbeat = clock_.Now();
  if (*restarted) member.announced_ready = false;
  return slot;
}

absl::StatusOr<NodeSlot> Membership::Find(const NodeId& id, uint64_t incarnation) const {
  const auto known = slots_.find(id);
  if (known == slots_.end() || members_[known->second].incarnation != incarnation) {
    return absl::NotFoundError("this node or incarnation is not registered here");
  }
  return known->second;
}

absl::StatusOr<NodeSlot> Membership::Heartbeat(const v1::HeartbeatRequest& request) {
  CAIRN_ASSIGN_OR_RETURN(const NodeId id, ParseNodeId(request.node_id(), "node_id"));
  CAIRN_ASSIGN_OR_RETURN(const NodeSlot slot, Find(id, request.incarnation()));
  Member& member = members_[slot];
  member.announced_ready = request.ready();
  member.lost = false;
  member.last_heartbeat = clock_.Now();
  if (request.capacity_bytes() != 0) member.capacity_bytes = request.capacity_bytes();
  member.last_report = request;
  return slot;
}

bool Membership::Step() {
  const Instant now = clock_.Now();
  const absl::Duration slept = now - last_step_;
  last_step_ = now;
  bool lost_one = false;
  for (Member& member : members_) {
    // What was heard since waking up is no older than now.
    if (slept > node_timeout_ / 2) {
      member.last_heartbeat = std::min(member.last_heartbeat + slept, now);
    }
    if (member.lost || now - member.last_heartbeat <= node_timeout_) continue;
    member.lost = true;
    lost_one = true;
  }
  return lost_one;
}

std::vector<NodeSlot> Membership::LostFor(absl::Duration age) const {
  std::vector<NodeSlot> found;
  for (size_t slot = 0; slot < members_.size(); ++slot) {
    if (members_[slot].lost && clock_.Now() - members_[slot].last_heartbeat > age) {
      found.push_back(static_cast<NodeSlot>(slot));
    }
  }
  return found;
}

}  // namespace cairn
