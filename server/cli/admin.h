// How a command reaches a coordinator as its operator.
#ifndef CAIRN_SERVER_CLI_ADMIN_H_
#define CAIRN_SERVER_CLI_ADMIN_H_

#include <string>

#include <absl/status/statusor.h>

#include "server/cli/defaults.h"
#include "transport/real_network.h"

namespace cairn {

class ConfigSchema;

struct AdminOptions {
  std::string coordinator = kDefaultCoordinator;
  std::string admin_file = kDefaultAdminFile;  // of the coordinator's state folder
  TlsOptions tls;

  RealNetworkOptions Network() const { return {.ucx = {}, .tls = tls}; }
};

void BindAdminOptions(AdminOptions& options, ConfigSchema& schema);

// The credential in options.admin_file. kInvalidArgument: unreadable; with the remedy.
absl::StatusOr<std::string> ReadAdminCredential(const AdminOptions& options);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_ADMIN_H_
