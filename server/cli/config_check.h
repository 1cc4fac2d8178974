// Would a daemon start with this configuration, and with which values?
#ifndef CAIRN_SERVER_CLI_CONFIG_CHECK_H_
#define CAIRN_SERVER_CLI_CONFIG_CHECK_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "server/cli/options.h"

namespace cairn {

// The commands whose configuration can be checked, for --help: "up|node|coordinator".
inline constexpr char kCheckedCommands[] = "up|node|coordinator";

// Parses `flags` as `command` would (--config among them), loads, validates. The options with their
// effective values, each with its source. kInvalidArgument: one line a mistake.
absl::StatusOr<std::vector<ConfigOption>> CheckConfig(const std::string& command,
                                                      std::vector<std::string> flags,
                                                      CommandContext& context);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_CONFIG_CHECK_H_
