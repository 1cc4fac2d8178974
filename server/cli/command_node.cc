#include <absl/strings/str_join.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/daemon_options.h"
#include "server/cli/ready_file.h"
#include "server/cli/service_manager.h"
#include "server/cli/termination.h"
#include "server/cli/warm_handover.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr absl::Duration kReadyLook = absl::Hours(24 * 365);

// A successor that starts in time goes on with this memory. What fails here costs warmth, no more.
void LeaveMemory(NodeDaemon& daemon, const NodeCommandOptions& options) {
  if (options.warm_restart == absl::ZeroDuration()) return;
  absl::StatusOr<std::vector<WarmShard>> shards = daemon.HandOver();
  absl::Status left = shards.status();
  if (left.ok()) {
    left = LeaveWarm(*shards, options.daemon.node.state_folder, options.warm_restart);
  }
  if (left.ok()) {
    Log(LogLevel::kInfo, "memory_left", {{"for_s", absl::ToInt64Seconds(options.warm_restart)}});
  } else {
    Log(LogLevel::kWarning, "memory_not_left", {{"why", left.message()}});
  }
}

absl::Status Run(const NodeCommandOptions& given, const ServiceManager& manager) {
  NodeCommandOptions options = given;
  std::vector<WarmShard> warm = TakeWarm(options.daemon.node.state_folder);
  if (!warm.empty()) options.daemon.node.warm = &warm;
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
       {"incarnation", daemon->node().incarnation()},
       {"warm", options.daemon.node.warm != nullptr}});
  CAIRN_ASSIGN_OR_RETURN(const bool ready, daemon->AwaitReady(kReadyLook, termination));
  if (ready) {
    CAIRN_RETURN_IF_ERROR(
        WriteReadyFile(options.ready_file, {{"data", reactors}, {"http", daemon->http_address()}}));
    manager.Ready();
  }
  while (!termination.Wait(absl::InfiniteDuration())) {
  }
  manager.Stopping();
  daemon->Drain();
  LeaveMemory(*daemon, options);
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
  command->callback([options, flags] {
    flags->Run([&] { return Run(*options, ServiceManager(flags->environment())); });
  });
}

}  // namespace cairn
