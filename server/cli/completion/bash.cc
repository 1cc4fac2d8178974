#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "server/cli/completion/completion.h"

namespace cairn {
namespace {

constexpr char kBegin[] = R"(# bash completion of cairn, made by `cairn completion bash`.
_cairn() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word
  local command_path=cairn commands='' flags=''
  # bash takes --flag=value for three words.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$command_path $word" in
)";

constexpr char kValues[] = R"(    esac
  done
  COMPREPLY=()
  [[ $current == -* ]] || case "$command_path $previous" in
)";

constexpr char kWords[] = R"(  esac
  case $command_path in
)";

constexpr char kEnd[] = R"(  esac
  [[ -n $commands && $current != -* ]] || commands=$flags
  mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
}
complete -F _cairn cairn
)";

std::string ValueAction(const std::string& value) {
  if (value == "FILE" || value == "FOLDER") {
    return absl::StrCat("      compopt -o filenames\n      mapfile -t COMPREPLY < <(compgen -",
                        value == "FILE" ? "f" : "d", " -- \"$current\")\n");
  }
  const std::vector<std::string> choices = CommandFlag{{}, value, ""}.Choices();
  if (choices.empty()) return "";
  return absl::StrCat("      mapfile -t COMPREPLY < <(compgen -W ",
                      ShellQuote(absl::StrJoin(choices, " ")), " -- \"$current\")\n");
}

std::string Words(const Command& command) {
  std::string commands;
  for (const Command& child : command.commands) absl::StrAppend(&commands, child.name, " ");
  std::string flags;
  for (const CommandFlag& flag : command.flags) {
    absl::StrAppend(&flags, absl::StrJoin(flag.names, " "), " ");
  }
  return absl::StrCat("    ", ShellQuote(command.path), ") commands=", ShellQuote(commands),
                      " flags=", ShellQuote(flags), " ;;\n");
}

}  // namespace

std::string BashCompletion(const Command& root) {
  return CaseScript(root, {kBegin, kValues, kWords, kEnd}, ValueAction, Words);
}

}  // namespace cairn
