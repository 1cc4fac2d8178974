#include "server/cli/config_check.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>

#include "base/status.h"
#include "server/cli/daemon_options.h"
#include "server/cli/parse_error.h"

namespace cairn {
namespace {

template <typename Options>
absl::StatusOr<std::vector<ConfigOption>> Check(std::vector<std::string> flags,
                                                CommandContext& context) {
  Options options;
  CommandOptions loader(context);
  options.Bind(loader.schema());
  CLI::App parser;
  loader.AddFlags(parser);
  std::reverse(flags.begin(), flags.end());  // CLI11 takes them from the back
  try {
    parser.parse(std::move(flags));
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(ParseErrorText(parser, error));
  }
  CAIRN_RETURN_IF_ERROR(loader.Load());
  CAIRN_RETURN_IF_ERROR(options.Validate());
  return loader.schema().Options();
}

}  // namespace

absl::StatusOr<std::vector<ConfigOption>> CheckConfig(const std::string& command,
                                                      std::vector<std::string> flags,
                                                      CommandContext& context) {
  if (command == "up") return Check<UpCommandOptions>(std::move(flags), context);
  if (command == "node") return Check<NodeCommandOptions>(std::move(flags), context);
  if (command == "coordinator") return Check<CoordinatorCommandOptions>(std::move(flags), context);
  return absl::InvalidArgumentError(
      absl::StrCat("--for: \"", command, "\" must be one of ", kCheckedCommands));
}

}  // namespace cairn
