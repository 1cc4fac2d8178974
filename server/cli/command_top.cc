#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cstdio>

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"
#include "server/cli/cluster_view.h"
#include "server/cli/commands.h"
#include "server/cli/exit_code.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr char kHomeAndClear[] = "\x1b[H\x1b[J";

struct Options {
  AdminOptions admin;
  absl::Duration interval = absl::Seconds(1);
  int64_t rounds = 0;
};

absl::Status Run(const Options& options) {
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  CAIRN_ASSIGN_OR_RETURN(v1::GetStatusReply before, FetchClusterStatus(options.admin, *network));
  Instant before_at = RealClock().Now();
  for (int64_t round = 0; options.rounds == 0 || round < options.rounds; ++round) {
    if (termination.Wait(options.interval)) break;
    const absl::StatusOr<v1::GetStatusReply> now = FetchClusterStatus(options.admin, *network);
    if (terminal) std::fputs(kHomeAndClear, stdout);
    if (!now.ok()) {
      // A coordinator may restart under us: say so and look again.
      std::printf("%s\n", std::string(now.status().message()).c_str());
    } else {
      const Instant at = RealClock().Now();
      std::fputs(ClusterStatusText(*now, before, absl::ToDoubleSeconds(at - before_at)).c_str(),
                 stdout);
      before = *now;
      before_at = at;
    }
    std::printf("\nevery %s; Ctrl-C ends\n", absl::FormatDuration(options.interval).c_str());
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace

void AddTopCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command = app.add_subcommand("top", "Watch the cluster live");
  BindAdminOptions(options->admin, flags->schema());
  flags->schema().Add("interval", &options->interval, {absl::Milliseconds(100), absl::Minutes(1)},
                      "Time between two looks.");
  flags->schema().Add("rounds", &options->rounds, {0, 1 << 30}, "looks",
                      "End after so many; 0: never.");
  flags->AddFlags(*command);
  command->callback([options, flags, exit_code] {
    absl::Status status = flags->Load();
    if (status.ok()) status = Run(*options);
    *exit_code = status.ok() ? kExitOk : ReportError(status);
  });
}

}  // namespace cairn
