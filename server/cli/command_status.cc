#include <CLI/CLI.hpp>

#include <cstdio>

#include "base/config.h"
#include "base/status.h"
#include "server/cli/cluster_view.h"
#include "server/cli/commands.h"
#include "server/cli/exit_code.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

absl::Status Run(const AdminOptions& options, bool json) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  CAIRN_ASSIGN_OR_RETURN(const v1::GetStatusReply status, FetchClusterStatus(options, *network));
  std::printf("%s%s",
              (json ? ClusterStatusJson(status) : ClusterStatusText(status, status, 0)).c_str(),
              json ? "\n" : "");
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<AdminOptions>();
  auto json = std::make_shared<bool>(false);
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command = app.add_subcommand("status", "Show what the cluster holds, once");
  BindAdminOptions(*options, flags->schema());
  flags->AddFlags(*command);
  command->add_flag("--json", *json, "Print one JSON object");
  command->footer("Example: cairn status --coordinator 127.0.0.1:7400 --admin-file state/admin");
  command->callback([options, json, flags, exit_code] {
    absl::Status status = flags->Load();
    if (status.ok()) status = Run(*options, *json);
    *exit_code = status.ok() ? kExitOk : ReportError(status);
  });
}

}  // namespace cairn
