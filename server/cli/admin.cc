#include "server/cli/admin.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "base/config.h"
#include "base/disk.h"
#include "base/status.h"
#include "server/cli/network_flags.h"

namespace cairn {

void BindAdminOptions(AdminOptions& options, ConfigSchema& schema) {
  schema.Add("coordinator", &options.coordinator, "Address of the coordinator.");
  schema.Add("admin_file", &options.admin_file,
             "File `admin` of the coordinator's state folder: the operator's credential.");
  BindTlsOptions(options.tls, "", schema);
}

absl::StatusOr<std::string> ReadAdminCredential(const AdminOptions& options) {
  absl::StatusOr<std::string> text = RealDisk().ReadFile(options.admin_file);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("admin_file: ", text.status().message(),
                     "; give --admin-file STATE_FOLDER/admin (of `cairn up`: "
                     "STATE_FOLDER/coordinator/admin)"));
  }
  return std::string(absl::StripAsciiWhitespace(*text));
}

}  // namespace cairn
