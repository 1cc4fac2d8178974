#include "server/cli/completion/completion.h"

#include <map>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

namespace cairn {
namespace {

// The quoted words "PATH FLAG" of all flags that take a value, by what it is: "FILE", "true|false".
std::map<std::string, std::vector<std::string>> FlagsByValue(const Command& root) {
  std::map<std::string, std::vector<std::string>> flags;
  for (const Command* command : AllCommands(root)) {
    for (const CommandFlag& flag : command->flags) {
      if (flag.value.empty()) continue;
      for (const std::string& name : flag.names) {
        flags[flag.value].push_back(ShellQuote(absl::StrCat(command->path, " ", name)));
      }
    }
  }
  return flags;
}

}  // namespace

std::string ShellQuote(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string CaseScript(const Command& root, const CaseScriptParts& parts,
                       std::string (*value_action)(const std::string& value),
                       std::string (*words)(const Command& command)) {
  std::string script = parts.begin;
  for (const Command* command : AllCommands(root)) {
    if (command == &root) continue;
    const std::string path = ShellQuote(command->path);
    absl::StrAppend(&script, "      ", path, ") command_path=", path, " ;;\n");
  }
  absl::StrAppend(&script, parts.values);
  for (const auto& [value, flags] : FlagsByValue(root)) {
    absl::StrAppend(&script, "    ", absl::StrJoin(flags, " | \\\n    "), ")\n",
                    value_action(value), "      return ;;\n");
  }
  absl::StrAppend(&script, parts.words);
  for (const Command* command : AllCommands(root)) absl::StrAppend(&script, words(*command));
  return script + parts.end;
}

}  // namespace cairn
