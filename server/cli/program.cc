#include "server/cli/program.h"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "base/version.h"
#include "server/cli/commands.h"
#include "server/cli/parse_error.h"

namespace cairn {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  cairn up                                    one coordinator and one node, ready to use\n"
    "  cairn demo --once                           a small cluster replays a published trace\n"
    "  cairn status --coordinator 127.0.0.1:7400   what the cluster holds\n"
    "\n"
    "Options come from flags, then CAIRN_* variables, then --config FILE (YAML), then defaults.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong flags or configuration, 3 a daemon is not reachable.\n";

int ReportParseError(CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  std::fprintf(stderr, "cairn: %s\n%s --help tells more.\n", ParseErrorText(app, error).c_str(),
               CommandPath(*ChosenCommand(&app)).c_str());
  return kExitUsage;
}

}  // namespace

std::unique_ptr<CLI::App> CreateProgram(CommandContext& context) {
  auto app =
      std::make_unique<CLI::App>("Cairn: a distributed KV-cache tier for LLM inference", "cairn");
  app->require_subcommand(1);
  app->set_version_flag("--version", Version());
  app->footer(kFooter);
  AddUpCommand(*app, context);
  AddNodeCommand(*app, context);
  AddHoldCommand(*app, context);
  AddCoordinatorCommand(*app, context);
  AddStatusCommand(*app, context);
  AddTopCommand(*app, context);
  AddBenchCommand(*app, context);
  AddReplayCommand(*app, context);
  AddReplayWorkerCommand(*app, context);
  AddDemoCommand(*app, context);
  AddForgetCommand(*app, context);
  AddTenantCommand(*app, context);
  AddSloCommand(*app, context);
  AddDoctorCommand(*app, context);
  AddConfigCommand(*app, context);
  AddCompletionCommand(*app, context);
  return app;
}

int RunProgram(std::vector<std::string> arguments, Environment environment) {
  CommandContext context{std::move(environment), {}, kExitOk};
  const std::unique_ptr<CLI::App> app = CreateProgram(context);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app->parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return ReportParseError(*app, error);
  }
  return context.exit_code;
}

}  // namespace cairn
