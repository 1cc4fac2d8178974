#include <absl/strings/str_join.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/daemon_options.h"
#include "server/cli/ready_file.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr absl::Duration kReadyLook = absl::Hours(24 * 365);

absl::Status Run(const NodeCommandOptions& options) {
  SetLog(LogLevel::kInfo, options.log_json ? LogFormat::kJson : LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(NetworkOptionsOf(options.daemon)));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network};
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<NodeDaemon> daemon,
                         NodeDaemon::Start(options.daemon, runtime));
  const std::string reactors = absl::StrJoin(daemon->node().reactor_addresses(), ",");
  Log(LogLevel::kInfo, "node_serves",
      {{"data", reactors},
       {"http", daemon->http_address()},
       {"incarnation", daemon->node().incarnation()}});
  CAIRN_ASSIGN_OR_RETURN(const bool ready, daemon->AwaitReady(kReadyLook, termination));
  if (ready) {
    CAIRN_RETURN_IF_ERROR(
        WriteReadyFile(options.ready_file, {{"data", reactors}, {"http", daemon->http_address()}}));
  }
  while (!termination.Wait(absl::InfiniteDuration())) {
  }
  daemon->Drain();
  return absl::OkStatus();
}

}  // namespace

void AddNodeCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<NodeCommandOptions>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("node", "Hold blocks and serve them");
  options->Bind(flags->schema());
  flags->AddFlags(*command);
  command->footer(
      "Example: cairn node --coordinators 127.0.0.1:7400 --state-folder /var/lib/cairn-node "
      "--dram-bytes 64GiB");
  command->callback([options, flags] { flags->Run([&] { return Run(*options); }); });
}

}  // namespace cairn
