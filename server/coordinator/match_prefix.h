// How much of a chain the cluster holds: what a router weighs engines with. A hint, as Locate's
// answer is; nothing is pinned.
#ifndef CAIRN_SERVER_COORDINATOR_MATCH_PREFIX_H_
#define CAIRN_SERVER_COORDINATOR_MATCH_PREFIX_H_

#include <absl/status/statusor.h>

#include "cairn/v1/coordinator.pb.h"
#include "proto/identity.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/prefix_index.h"

namespace cairn {

// The longest prefix of request.keys whose blocks ready nodes are believed to hold, by tier and
// node; epoch and sequence are the caller's to fill. kInvalidArgument names the field.
// request.token has been checked: `tenant` is its tenant.
absl::StatusOr<v1::MatchPrefixReply> MatchPrefix(const v1::MatchPrefixRequest& request,
                                                 TenantId tenant, const PrefixIndex& index,
                                                 const Membership& members);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_MATCH_PREFIX_H_
