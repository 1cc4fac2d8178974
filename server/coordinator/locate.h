// Answers where a chain is and where the rest of it should go.
#ifndef CAIRN_SERVER_COORDINATOR_LOCATE_H_
#define CAIRN_SERVER_COORDINATOR_LOCATE_H_

#include <absl/status/statusor.h>

#include "cairn/v1/coordinator.pb.h"
#include "proto/identity.h"
#include "server/coordinator/chain_keys.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/prefix_index.h"

namespace cairn {

// The longest prefix of request.keys whose blocks ready nodes are believed to hold, as runs per
// node and reactor; then a placement for every block behind it, run by run. kInvalidArgument names
// the field. request.token has been checked: `tenant` is its tenant.
absl::StatusOr<v1::LocateReply> Locate(const v1::LocateRequest& request, TenantId tenant,
                                       const PrefixIndex& index, const Membership& members);

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_LOCATE_H_
