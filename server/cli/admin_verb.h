// A verb of a command that calls a coordinator as its operator: cairn tenant add, cairn slo list.
#ifndef CAIRN_SERVER_CLI_ADMIN_VERB_H_
#define CAIRN_SERVER_CLI_ADMIN_VERB_H_

#include <memory>

#include <absl/status/status.h>
#include <CLI/CLI.hpp>

#include "server/cli/admin.h"
#include "server/cli/options.h"
#include "server/cli/terminal.h"

namespace cairn {

// Options has `admin` and `palette`. extend(verb, options, schema) declares what else it takes.
template <typename Options, typename Extend>
void AddAdminVerb(CLI::App& command, CommandContext& context, const char* name, const char* help,
                  absl::Status (*run)(const Options&), Extend extend) {
  auto options = std::make_shared<Options>();
  options->palette = Palette::For(/*descriptor=*/1, context.environment);
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* verb = command.add_subcommand(name, help);
  BindAdminOptions(options->admin, flags->schema());
  extend(*verb, *options, flags->schema());
  flags->AddFlags(*verb);
  verb->callback([options, flags, run] { flags->Run([&] { return run(*options); }); });
}

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_ADMIN_VERB_H_
