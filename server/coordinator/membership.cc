#include "server/coordinator/membership.h"

#include <algorithm>
#include <cstring>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/hex.h"
#include "base/status.h"
#include "server/coordinator/observe/node_name.h"

namespace cairn {
namespace {

constexpr size_t kNamesTold = 20;  // in a message

std::string ShortName(const NodeId& id) {
  return ShortNodeName({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
}

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
  member.forgotten = false;
  member.last_heartbeat = clock_.Now();
  if (*restarted) {
    member.announced_ready = false;
    member.last_report.Clear();  // What its last life counted is none of this one's.
  }
  return slot;
}

absl::StatusOr<NodeSlot> Membership::Find(const NodeId& id, uint64_t incarnation) const {
  const auto known = slots_.find(id);
  if (known == slots_.end() || members_[known->second].forgotten ||
      members_[known->second].incarnation != incarnation) {
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

absl::StatusOr<NodeSlot> Membership::FindByDigits(const std::string& digits) const {
  if (digits.size() < kNodeDigitsMin) {
    return absl::InvalidArgumentError(absl::StrCat("node: \"", digits,
                                                   "\" is too short; give at least ",
                                                   kNodeDigitsMin, " digits of its id"));
  }
  std::vector<NodeSlot> found;
  for (size_t slot = 0; slot < members_.size(); ++slot) {
    if (members_[slot].forgotten) continue;
    if (absl::StartsWith(HexEncode(members_[slot].id.bytes), digits)) {
      found.push_back(static_cast<NodeSlot>(slot));
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat("no node \"", digits, "\"; ", KnownNames()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("node: ", found.size(), " begin with \"", digits, "\"; give more digits"));
}

std::string Membership::KnownNames() const {
  std::vector<std::string> names;
  for (const Member& member : members_) {
    if (member.forgotten) continue;
    if (names.size() == kNamesTold) {
      names.push_back("...");
      break;
    }
    names.push_back(ShortName(member.id));
  }
  return names.empty() ? "none is known" : absl::StrCat("known: ", absl::StrJoin(names, ", "));
}

absl::Status Membership::Forget(NodeSlot slot) {
  Member& member = members_[slot];
  if (!member.lost) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", ShortName(member.id), " is alive, its last heartbeat came ",
                     absl::FormatDuration(
                         absl::Trunc(clock_.Now() - member.last_heartbeat, absl::Milliseconds(1))),
                     " ago; end its process first, it is lost after ",
                     absl::FormatDuration(node_timeout_), " of silence"));
  }
  member.forgotten = true;
  return absl::OkStatus();
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
