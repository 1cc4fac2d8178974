#include <cstdio>

#include <CLI/CLI.hpp>

#include "base/config.h"
#include "base/status.h"
#include "server/cli/cluster_view.h"
#include "server/cli/commands.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

absl::Status Run(const AdminOptions& options, bool json, const Environment& environment) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(options.Network()));
  CAIRN_ASSIGN_OR_RETURN(const v1::GetStatusReply status, FetchClusterStatus(options, *network));
  const ClusterLooks look{status, status, absl::ZeroDuration()};
  const Palette palette = Palette::For(/*descriptor=*/1, environment);
  std::fputs((json ? ClusterJson(look) + "\n" : ClusterText(look, palette)).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<AdminOptions>();
  auto json = std::make_shared<bool>(false);
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("status", "Show what the cluster holds, once");
  BindAdminOptions(*options, flags->schema());
  flags->AddFlags(*command);
  command->add_flag("--json", *json, "Print one JSON object");
  command->footer(
      "Example: cairn status --coordinator 127.0.0.1:7400 --admin-file "
      "cairn-state/coordinator/admin");
  command->callback([options, json, flags] {
    flags->Run([&] { return Run(*options, *json, flags->environment()); });
  });
}

}  // namespace cairn
