#include <memory>

#include <CLI/CLI.hpp>

#include "base/config.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/warm_handover.h"

namespace cairn {
namespace {

constexpr int kChannelDescriptor = 3;

struct Options {
  std::string state_folder;
  absl::Duration hold_for = absl::Minutes(2);
};

}  // namespace

void AddHoldCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("hold", "Keep a stopped node's memory for its successor");
  command->group("");  // Started by `cairn node` only.
  flags->schema().Add("state_folder", &options->state_folder, "Folder of the node's identity.");
  flags->schema().Add("for", &options->hold_for, {absl::ZeroDuration(), absl::Hours(24)},
                      "How long.");
  flags->AddFlags(*command);
  command->callback([options, flags] {
    flags->Run(
        [&] { return HoldWarm(kChannelDescriptor, options->state_folder, options->hold_for); });
  });
}

}  // namespace cairn
