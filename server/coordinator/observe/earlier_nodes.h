// Nodes as a status of before had them: a node's counters grow until its process starts anew.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_EARLIER_NODES_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_EARLIER_NODES_H_

#include <cstdint>
#include <map>
#include <string>

#include "cairn/v1/coordinator.pb.h"

namespace cairn {

class EarlierNodes {
 public:
  using Node = v1::GetStatusReply::Node;

  // status outlives it.
  explicit EarlierNodes(const v1::GetStatusReply& status) {
    for (const Node& node : status.nodes()) nodes_.emplace(node.node_id(), &node);
  }

  bool has(const Node& now) const { return nodes_.contains(now.node_id()); }
  // What a counter of the node has grown by; all of it if the node is new or it began anew.
  template <typename Counter>
  uint64_t Growth(const Node& now, Counter counter) const {
    const auto found = nodes_.find(now.node_id());
    const bool same = found != nodes_.end() && found->second->incarnation() == now.incarnation();
    const uint64_t then = same ? counter(*found->second) : 0;
    return counter(now) < then ? counter(now) : counter(now) - then;
  }

 private:
  std::map<std::string, const Node*> nodes_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_EARLIER_NODES_H_
