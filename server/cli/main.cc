// The cairn program.
#include <cstring>

#include <CLI/CLI.hpp>

#include "server/cli/commands.h"
#include "server/cli/exit_code.h"

extern char** environ;

namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  cairn up                                    one coordinator and one node, ready to use\n"
    "  cairn demo --once                           a small cluster replays a published trace\n"
    "  cairn status --coordinator 127.0.0.1:7400   what the cluster holds\n"
    "\n"
    "Options come from flags, then CAIRN_* variables, then --config FILE (YAML), then defaults.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong flags or configuration, 3 a daemon is not reachable.\n";

cairn::Environment ReadEnvironment() {
  cairn::Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    if (equals != nullptr)
      environment[std::string(static_cast<const char*>(*entry), equals)] = equals + 1;
  }
  return environment;
}

}  // namespace

int main(int argc, char** argv) {
  const cairn::Environment environment = ReadEnvironment();
  CLI::App app("Cairn: a distributed KV-cache tier for LLM inference", "cairn");
  app.require_subcommand(1);
  app.set_version_flag("--version", CAIRN_VERSION);
  app.footer(kFooter);
  int exit_code = cairn::kExitOk;
  cairn::AddUpCommand(app, environment, &exit_code);
  cairn::AddNodeCommand(app, environment, &exit_code);
  cairn::AddCoordinatorCommand(app, environment, &exit_code);
  cairn::AddStatusCommand(app, environment, &exit_code);
  cairn::AddTopCommand(app, environment, &exit_code);
  cairn::AddReplayCommand(app, environment, &exit_code);
  cairn::AddReplayWorkerCommand(app, environment, &exit_code);
  cairn::AddDemoCommand(app, environment, &exit_code);
  cairn::AddTenantCommand(app, environment, &exit_code);
  cairn::AddDoctorCommand(app, environment, &exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? cairn::kExitOk : cairn::kExitUsage;
  }
  return exit_code;
}
