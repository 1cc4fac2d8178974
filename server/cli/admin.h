// How a command reaches a coordinator as its operator.
#ifndef CAIRN_SERVER_CLI_ADMIN_H_
#define CAIRN_SERVER_CLI_ADMIN_H_

#include <string>

#include <absl/status/statusor.h>

namespace cairn {

class ConfigSchema;

struct AdminOptions {
  std::string coordinator = "127.0.0.1:7400";
  std::string admin_file;  // the file `admin` of the coordinator's state folder
};

void BindAdminOptions(AdminOptions& options, ConfigSchema& schema);

// The credential in options.admin_file. kInvalidArgument: none given, or unreadable; the remedy.
absl::StatusOr<std::string> ReadAdminCredential(const AdminOptions& options);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_ADMIN_H_
