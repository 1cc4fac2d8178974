// One call that carries the admin credential, for commands.
#ifndef CAIRN_SERVER_CLI_ADMIN_CALL_H_
#define CAIRN_SERVER_CLI_ADMIN_CALL_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "base/status.h"
#include "server/cli/admin.h"
#include "server/cli/control_call.h"
#include "transport/real_network.h"

namespace cairn {

// method: "/cairn.v1.Coordinator/ListTenants". Errors of ReadAdminCredential and ControlCall.
template <typename Reply, typename Request>
absl::StatusOr<Reply> AdminCall(const AdminOptions& options, const char* method, Request request) {
  CAIRN_ASSIGN_OR_RETURN(const std::string credential, ReadAdminCredential(options));
  request.set_admin_credential(credential);
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(options.Network()));
  return ControlCall<Reply>(*network, options.coordinator, method, request);
}

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_ADMIN_CALL_H_
