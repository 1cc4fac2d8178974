#include <cstdio>

#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"
#include "server/cli/cluster_view.h"
#include "server/cli/commands.h"
#include "server/cli/screen.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

struct Options {
  AdminOptions admin;
  absl::Duration interval = absl::Seconds(1);
  int64_t rounds = 0;
  bool json = false;
};

struct Look {
  v1::GetStatusReply status;
  Instant at;
};

class Top {
 public:
  Top(const Options& options, const Environment& environment, Network& network)
      : options_(options),
        network_(network),
        palette_(Palette::For(/*descriptor=*/1, environment)),
        screen_(environment) {}

  absl::Status Run(Termination& termination) {
    CAIRN_ASSIGN_OR_RETURN(before_.status, FetchClusterStatus(options_.admin, network_));
    before_.at = RealClock().Now();
    // Nobody wants to look at nothing until there are rates.
    if (screen_.is_terminal() && !options_.json) Draw(before_);
    for (int64_t round = 0; options_.rounds == 0 || round < options_.rounds; ++round) {
      if (termination.Wait(options_.interval)) break;
      LookAgain();
    }
    if (screen_.is_terminal() && !options_.json)
      std::fputc('\n', stdout);  // what Ctrl-C echoed stands alone
    return absl::OkStatus();
  }

 private:
  void LookAgain() {
    absl::StatusOr<v1::GetStatusReply> status = FetchClusterStatus(options_.admin, network_);
    if (!status.ok()) {
      // A coordinator may restart under us: say so and look again.
      const std::string why(status.status().message());
      if (options_.json) {
        std::fprintf(stderr, "cairn: %s\n", why.c_str());
      } else {
        screen_.Draw(absl::StrCat(palette_.Bad(why), "\n", Footer()));
      }
      return;
    }
    const Look now{*std::move(status), RealClock().Now()};
    Draw(now);
    before_ = now;
  }

  void Draw(const Look& now) {
    const ClusterLooks looks{now.status, before_.status, now.at - before_.at};
    if (options_.json) {
      std::printf("%s\n", ClusterJson(looks).c_str());
      std::fflush(stdout);
    } else {
      screen_.Draw(absl::StrCat(ClusterText(looks, palette_), Footer()));
    }
  }

  std::string Footer() const {
    if (!screen_.is_terminal()) return "";
    return palette_.Quiet(
               absl::StrCat("\nevery ", absl::FormatDuration(options_.interval), "; Ctrl-C ends")) +
           "\n";
  }

  const Options& options_;
  Network& network_;
  const Palette palette_;
  Screen screen_;
  Look before_;
};

absl::Status Run(const Options& options, const Environment& environment) {
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(options.admin.Network()));
  return Top(options, environment, *network).Run(termination);
}

}  // namespace

void AddTopCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("top", "Watch the cluster live");
  BindAdminOptions(options->admin, flags->schema());
  flags->schema().Add("interval", &options->interval, {absl::Milliseconds(100), absl::Minutes(1)},
                      "Time between two looks.");
  flags->schema().Add("rounds", &options->rounds, {0, 1 << 30}, "looks",
                      "End after so many; 0: never.");
  flags->AddFlags(*command);
  command->add_flag("--json", options->json, "Print one JSON object a look");
  command->footer(
      "Example: cairn top --coordinator 127.0.0.1:7400 --admin-file cairn-state/coordinator/admin\n"
      "HITS are of the blocks that a node was asked for, since its start: a block that no node has "
      "is\n"
      "a miss before anybody asks. GETS/S, OUT and IN are of the last interval.");
  command->callback(
      [options, flags] { flags->Run([&] { return Run(*options, flags->environment()); }); });
}

}  // namespace cairn
