#include <CLI/CLI.hpp>

#include <absl/strings/str_cat.h>

#include "base/log.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/daemon_options.h"
#include "server/cli/end_guard.h"
#include "server/cli/ready_file.h"
#include "server/cli/service_manager.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

absl::Status Run(const CoordinatorCommandOptions& options, const ServiceManager& manager) {
  SetLog(LogLevel::kInfo, options.log_json ? LogFormat::kJson : LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network};
  EndGuard end;  // outlives the daemon
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorDaemon> daemon,
                         CoordinatorDaemon::Start(options.daemon, runtime));
  Log(LogLevel::kInfo, "coordinator_serves",
      {{"address", daemon->address()},
       {"http", daemon->http_address()},
       {"dashboard", absl::StrCat("http://", daemon->http_address(), "/")}});
  CAIRN_RETURN_IF_ERROR(
      WriteReadyFile(options.ready_file, {{"address", daemon->address()},
                                          {"http", daemon->http_address()},
                                          {"admin", daemon->coordinator().admin_credential()}}));
  manager.Ready();
  while (!termination.Wait(absl::InfiniteDuration())) {
  }
  manager.Stopping();
  end.Begin();
  Log(LogLevel::kInfo, "coordinator_ends", {});
  return absl::OkStatus();
}

}  // namespace

void AddCoordinatorCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<CoordinatorCommandOptions>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("coordinator", "Serve the control plane");
  options->Bind(flags->schema());
  flags->AddFlags(*command);
  command->footer(
      "Example: cairn coordinator --state-folder /var/lib/cairn --listen 127.0.0.1:7400");
  command->callback([options, flags] {
    flags->Run([&] { return Run(*options, ServiceManager(flags->environment())); });
  });
}

}  // namespace cairn
