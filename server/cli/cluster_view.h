// The cluster as `status` and `top` show it.
#ifndef CAIRN_SERVER_CLI_CLUSTER_VIEW_H_
#define CAIRN_SERVER_CLI_CLUSTER_VIEW_H_

#include <string>

#include <absl/status/statusor.h>

#include "cairn/v1/coordinator.pb.h"
#include "server/cli/admin.h"
#include "transport/network.h"

namespace cairn {

absl::StatusOr<v1::GetStatusReply> FetchClusterStatus(const AdminOptions& options,
                                                      Network& network);

std::string ClusterStatusJson(const v1::GetStatusReply& status);
// A table; rates per second are the difference to `before` over `seconds`, left out with seconds 0.
std::string ClusterStatusText(const v1::GetStatusReply& status, const v1::GetStatusReply& before,
                              double seconds);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_CLUSTER_VIEW_H_
