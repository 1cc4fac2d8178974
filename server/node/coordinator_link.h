// One coordinator as the agent sees it: register, then heartbeats and numbered reports, again after
// each loss. Owned by the control thread.
#ifndef CAIRN_SERVER_NODE_COORDINATOR_LINK_H_
#define CAIRN_SERVER_NODE_COORDINATOR_LINK_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/inventory.h"
#include "proto/token.h"
#include "server/node/identity.h"
#include "transport/control/control_channel.h"

namespace cairn {

class CoordinatorLink {
 public:
  struct NodeFacts {
    NodeIdentity identity;
    std::vector<std::string> reactor_addresses;
    uint64_t capacity_bytes = 0;
    std::string cluster_id;  // that the node's drives belong to; empty: any
    std::string http_address;
    absl::Duration report_interval;
    std::function<void(v1::HeartbeatRequest&)> fill_heartbeat;
    std::function<bool()> serves;  // what it will say of `ready`; a change is told at once
  };

  // facts and clock outlive the link.
  CoordinatorLink(std::unique_ptr<ControlChannel> channel, const NodeFacts& facts, Clock& clock)
      : channel_(std::move(channel)), facts_(facts), clock_(clock) {}

  // Advances calls; returns how many answers came.
  size_t Poll();
  // A change of the inventory, in order. When too many wait, they are dropped and a snapshot is
  // due.
  void Add(const InventoryChange& change);
  // All reactors begin (end) telling their whole inventory: what Add brings between is the
  // snapshot.
  void BeginSnapshot();
  void EndSnapshot();

  bool known() const { return known_; }
  bool snapshot_wanted() const { return registered_ && snapshot_wanted_; }
  bool reported() const { return waiting_.empty() && !reporting_; }
  const std::vector<PublicKey>& token_keys() const { return token_keys_; }
  // Of the coordinator, once it took us.
  const std::string& cluster_id() const { return cluster_id_; }
  // Not kOk: it answered that this node is not its own.
  const absl::Status& refusal() const { return refusal_; }
  int event_fd() const { return channel_->event_fd(); }
  const std::string& address() const { return channel_->address(); }

 private:
  struct Segment {
    v1::ReportRequest::Kind kind = v1::ReportRequest::DELTA;
    std::string changes;
  };

  void Register();
  void Heartbeat();
  void SendReport();
  void Lost(const absl::Status& why);
  void TellOfSilence(const absl::Status& why);
  void TakeKeys(const google::protobuf::RepeatedPtrField<std::string>& keys);

  const std::unique_ptr<ControlChannel> channel_;
  const NodeFacts& facts_;
  Clock& clock_;
  bool registered_ = false;
  bool registering_ = false;
  bool beating_ = false;
  bool reporting_ = false;
  bool known_ = false;
  bool served_ = false;  // what the last heartbeat said
  bool snapshot_wanted_ = false;
  Instant next_register_{INT64_MIN};
  Instant next_heartbeat_{INT64_MIN};
  Instant next_report_{INT64_MIN};
  Instant next_word_of_silence_{INT64_MIN};
  absl::Duration heartbeat_interval_ = absl::Seconds(1);
  std::vector<PublicKey> token_keys_;
  std::string cluster_id_;
  absl::Status refusal_;
  uint64_t sequence_ = 1;
  std::deque<Segment> waiting_;  // front: being sent; bounded by kWaitingChangesMax
  size_t waiting_changes_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_COORDINATOR_LINK_H_
