#include <cstdio>

#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>

#include "server/cli/commands.h"
#include "server/cli/completion/completion.h"

namespace cairn {
namespace {

struct Shell {
  const char* name;
  const char* install;
  std::string (*script)(const Command& root);
};

constexpr Shell kShells[] = {
    {"bash",
     "Example: cairn completion bash > ~/.cairn.bash   # and in ~/.bashrc: source ~/.cairn.bash\n"
     "For this shell alone: source <(cairn completion bash)",
     BashCompletion},
    {"zsh",
     "Example: cairn completion zsh > ~/.zfunc/_cairn   # with ~/.zfunc in fpath before compinit\n"
     "For this shell alone: source <(cairn completion zsh)",
     ZshCompletion},
    {"fish",
     "Example: cairn completion fish > ~/.config/fish/completions/cairn.fish\n"
     "For this shell alone: cairn completion fish | source",
     FishCompletion},
};

}  // namespace

void AddCompletionCommand(CLI::App& app, CommandContext&) {
  CLI::App* command = app.add_subcommand("completion", "Print completions for a shell");
  command->require_subcommand(1);
  command->footer("Example: cairn completion bash > cairn.bash && source cairn.bash");
  for (const Shell& shell : kShells) {
    CLI::App* verb =
        command->add_subcommand(shell.name, absl::StrCat("Print completions for ", shell.name));
    verb->footer(shell.install);
    verb->callback([&app, script = shell.script] {
      std::fputs(script(DescribeCommand(app)).c_str(), stdout);
    });
  }
}

}  // namespace cairn
