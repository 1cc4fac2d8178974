#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "server/cli/completion/completion.h"

namespace cairn {
namespace {

constexpr char kBegin[] = R"(# fish completion of cairn, made by `cairn completion fish`.
function __cairn_at --description 'The words so far lead to this command'
  set -l command_path cairn
  for word in (commandline -opc)[2..]
    switch "$command_path $word"
)";

constexpr char kEnd[] = R"(    end
  end
  test "$command_path" = "$argv[1]"
end
complete -c cairn -f
)";

std::string FishQuote(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string ValueOptions(const CommandFlag& flag) {
  if (flag.value.empty()) return "";
  if (flag.value == "FILE") return " -r -F";
  if (flag.value == "FOLDER") return " -x -a '(__fish_complete_directories)'";
  const std::vector<std::string> choices = flag.Choices();
  return choices.empty() ? " -x" : absl::StrCat(" -x -a ", FishQuote(absl::StrJoin(choices, " ")));
}

std::string Lines(const Command& command) {
  const std::string at =
      absl::StrCat("complete -c cairn -n ", FishQuote("__cairn_at " + FishQuote(command.path)));
  std::string lines;
  for (const Command& child : command.commands) {
    absl::StrAppend(&lines, at, " -a ", child.name, " -d ", FishQuote(child.help), "\n");
  }
  for (const CommandFlag& flag : command.flags) {
    absl::StrAppend(&lines, at);
    for (const std::string& name : flag.names) {
      const bool is_long = name.size() > 2;
      absl::StrAppend(&lines, is_long ? " -l " : " -s ", name.substr(is_long ? 2 : 1));
    }
    absl::StrAppend(&lines, ValueOptions(flag), " -d ", FishQuote(flag.help), "\n");
  }
  return lines;
}

}  // namespace

std::string FishCompletion(const Command& root) {
  std::string script = kBegin;
  for (const Command* command : AllCommands(root)) {
    if (command == &root) continue;
    const std::string path = FishQuote(command->path);
    absl::StrAppend(&script, "      case ", path, "\n        set command_path ", path, "\n");
  }
  absl::StrAppend(&script, kEnd);
  for (const Command* command : AllCommands(root)) absl::StrAppend(&script, Lines(*command));
  return script;
}

}  // namespace cairn
