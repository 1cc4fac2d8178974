// The cluster as `status` and `top` show it.
#ifndef CAIRN_SERVER_CLI_CLUSTER_VIEW_H_
#define CAIRN_SERVER_CLI_CLUSTER_VIEW_H_

#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "cairn/v1/coordinator.pb.h"
#include "server/cli/admin.h"
#include "server/cli/terminal.h"
#include "transport/network.h"

namespace cairn {

absl::StatusOr<v1::GetStatusReply> FetchClusterStatus(const AdminOptions& options,
                                                      Network& network);

// Two looks at a cluster. before: the earlier one, `apart` ago; both the same and zero for one look
// alone. Rates are the difference between the two, left out for one look.
struct ClusterLooks {
  const v1::GetStatusReply& now;
  const v1::GetStatusReply& before;
  absl::Duration apart;
};

std::string ClusterJson(const ClusterLooks& looks);
// A heading, a table with a line a node, and what is alarming.
std::string ClusterText(const ClusterLooks& looks, const Palette& palette);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_CLUSTER_VIEW_H_
