#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/coordinator_daemon.h"
#include "server/cli/exit_code.h"
#include "server/cli/ready_file.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

struct Options {
  CoordinatorDaemonOptions daemon;
  std::string ready_file;
  bool log_json = false;
};

absl::Status Run(const Options& options) {
  SetLog(LogLevel::kInfo, options.log_json ? LogFormat::kJson : LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *network};
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorDaemon> daemon,
                         CoordinatorDaemon::Start(options.daemon, runtime));
  Log(LogLevel::kInfo, "coordinator_serves",
      {{"address", daemon->address()}, {"http", daemon->http_address()}});
  CAIRN_RETURN_IF_ERROR(
      WriteReadyFile(options.ready_file, {{"address", daemon->address()},
                                          {"http", daemon->http_address()},
                                          {"admin", daemon->coordinator().admin_credential()}}));
  while (!termination.Wait(absl::InfiniteDuration())) {
  }
  Log(LogLevel::kInfo, "coordinator_ends", {});
  return absl::OkStatus();
}

}  // namespace

void AddCoordinatorCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command = app.add_subcommand("coordinator", "Serve the control plane");
  BindCoordinatorOptions(options->daemon, "", flags->schema());
  flags->schema().Add("state_folder", &options->daemon.coordinator.state_folder,
                      "Folder of the registry, the signing key and the admin credential.");
  flags->schema().Add("ready_file", &options->ready_file,
                      "Written as JSON when the coordinator serves.");
  flags->schema().Add("log_json", &options->log_json, "Log lines as JSON.");
  flags->AddFlags(*command);
  command->footer(
      "Example: cairn coordinator --state-folder /var/lib/cairn --listen 127.0.0.1:7400");
  command->callback([options, flags, exit_code] {
    absl::Status status = flags->Load();
    if (status.ok()) status = Run(*options);
    *exit_code = status.ok() ? kExitOk : ReportError(status);
  });
}

}  // namespace cairn
