#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "server/cli/completion/completion.h"

namespace cairn {
namespace {

constexpr char kBegin[] = R"(#compdef cairn
# zsh completion of cairn, made by `cairn completion zsh`.
_cairn() {
  local previous=${words[CURRENT - 1]} word command_path=cairn
  local -a commands flags
  if [[ $PREFIX == --*=* ]]; then
    previous=${PREFIX%%=*}
    compset -P '*='
  fi
  for word in "${(@)words[2,CURRENT - 1]}"; do
    case "$command_path $word" in
)";

constexpr char kValues[] = R"(    esac
  done
  [[ $PREFIX == -* ]] || case "$command_path $previous" in
)";

constexpr char kWords[] = R"(  esac
  case $command_path in
)";

constexpr char kEnd[] = R"(  esac
  if [[ $#commands -gt 0 && $PREFIX != -* ]]; then
    _describe command commands
  else
    _describe -o option flags
  fi
}
if [[ ${funcstack[1]} == _cairn ]]; then
  _cairn "$@"
else
  compdef _cairn cairn
fi
)";

std::string ValueAction(const std::string& value) {
  if (value == "FILE") return "      _files\n";
  if (value == "FOLDER") return "      _files -/\n";
  const std::vector<std::string> choices = CommandFlag{{}, value, ""}.Choices();
  if (choices.empty()) return absl::StrCat("      _message ", ShellQuote(value), "\n");
  return absl::StrCat("      compadd -- ", absl::StrJoin(choices, " "), "\n");
}

// A word of _describe: name:description.
std::string Described(const std::string& name, const std::string& help) {
  return ShellQuote(absl::StrCat(absl::StrReplaceAll(name, {{":", "\\:"}}), ":", help));
}

std::string Words(const Command& command) {
  std::string commands;
  for (const Command& child : command.commands) {
    absl::StrAppend(&commands, "\n        ", Described(child.name, child.help));
  }
  std::string flags;
  for (const CommandFlag& flag : command.flags) {
    for (const std::string& name : flag.names) {
      absl::StrAppend(&flags, "\n        ", Described(name, flag.help));
    }
  }
  return absl::StrCat("    ", ShellQuote(command.path), ")\n      commands=(", commands,
                      ")\n      flags=(", flags, ") ;;\n");
}

}  // namespace

std::string ZshCompletion(const Command& root) {
  return CaseScript(root, {kBegin, kValues, kWords, kEnd}, ValueAction, Words);
}

}  // namespace cairn
