// Takes what nodes and clients report as sums since they began, and hands on what is new.
// Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_OBSERVE_WRITERS_H_
#define CAIRN_SERVER_COORDINATOR_OBSERVE_WRITERS_H_

#include <cstdint>
#include <map>

#include <absl/status/status.h>

#include "base/clock.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/identity.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/observe/sums.h"

namespace cairn {

class Writers {
 public:
  // The client that was silent longest goes first; what it said stays counted.
  static constexpr size_t kClientsMax = 4096;
  // Of one stretch; a tenant that would need more falls into tenant 0's series.
  static constexpr size_t kSeriesMax = 1024;

  // A heartbeat of a member. A new incarnation begins anew. kInvalidArgument names the field;
  // nothing of the report is then taken.
  absl::Status TakeNode(NodeSlot node, const v1::HeartbeatRequest& report);
  // tokens_per_block: of the namespace; 0: unknown, its tokens are not counted.
  absl::Status TakeClient(TenantId tenant, const ClientId& client, uint32_t tokens_per_block,
                          const v1::ReportClientRequest& report, Instant now);

  // What came since the last call.
  Observed Take();

 private:
  struct Node {
    uint64_t incarnation = 0;
    SeriesSums latency;
  };
  struct Client {
    SeriesSums latency;
    HitSums hits;
    Instant heard;
  };
  using ClientName = std::pair<TenantId, ClientId>;

  void Hand(const SeriesSums& news, SeriesSums& into);
  Client& FindClient(const ClientName& name);

  std::map<NodeSlot, Node> nodes_;  // at most kNodesMax
  std::map<ClientName, Client> clients_;
  Observed fresh_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_OBSERVE_WRITERS_H_
