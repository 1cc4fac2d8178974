// Who is in the cluster, by heartbeat. Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_MEMBERSHIP_H_
#define CAIRN_SERVER_COORDINATOR_MEMBERSHIP_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/identity.h"

namespace cairn {

inline constexpr size_t kNodesMax =
    4096;  // slots are 16-bit in the index, addresses repeat per reply
inline constexpr size_t kReactorsPerNodeMax = 256;
inline constexpr size_t kNodeDigitsMin = 4;  // less is a slip of the hand

struct Member {
  NodeId id;
  uint64_t incarnation = 0;
  std::vector<std::string> reactor_addresses;
  std::string http_address;
  std::string version;
  bool announced_ready = false;  // by its last heartbeat
  bool lost = false;             // silent for node_timeout
  bool forgotten = false;        // taken away for good: known to nobody until it registers again
  Instant last_heartbeat;
  v1::HeartbeatRequest last_report;  // figures for people
  uint64_t capacity_bytes = 0;

  bool ready() const { return announced_ready && !lost; }
};

// Names a member for the life of the coordinator; slots are not reused.
using NodeSlot = uint16_t;

class Membership {
 public:
  Membership(absl::Duration node_timeout, Clock& clock)
      : node_timeout_(node_timeout), clock_(clock), last_step_(clock.Now()) {}

  // kFailedPrecondition: an older incarnation than the one known (a process that should be dead).
  // kResourceExhausted: kNodesMax. kInvalidArgument names the field. *restarted: the incarnation is
  // new, its inventory must be forgotten.
  absl::StatusOr<NodeSlot> Register(const v1::RegisterNodeRequest& request, bool* restarted);
  // kNotFound: unknown node or incarnation; the node must register.
  absl::StatusOr<NodeSlot> Heartbeat(const v1::HeartbeatRequest& request);
  absl::StatusOr<NodeSlot> Find(const NodeId& id, uint64_t incarnation) const;

  // Marks the silent lost. Time that the coordinator itself slept is forgiven: a stalled
  // coordinator declares nobody dead. True: one was lost just now.
  bool Step();
  // By the leading digits of its id, as people are told them. kInvalidArgument: fewer than
  // kNodeDigitsMin, or several begin so. kNotFound names the known ones.
  absl::StatusOr<NodeSlot> FindByDigits(const std::string& digits) const;
  // kFailedPrecondition: it is not lost. Its incarnation stays fenced.
  absl::Status Forget(NodeSlot slot);
  // Lost for longer than `age`.
  std::vector<NodeSlot> LostFor(absl::Duration age) const;

  const Member& member(NodeSlot slot) const { return members_[slot]; }
  size_t size() const { return members_.size(); }

 private:
  std::string KnownNames() const;  // for a message

  const absl::Duration node_timeout_;
  Clock& clock_;
  Instant last_step_;
  std::vector<Member> members_;
  absl::flat_hash_map<NodeId, NodeSlot> slots_;
};

// The id in `bytes`. kInvalidArgument: not 16 bytes; names `field`.
absl::StatusOr<NodeId> ParseNodeId(const std::string& bytes, const char* field);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_MEMBERSHIP_H_
