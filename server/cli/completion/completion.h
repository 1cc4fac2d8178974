// Shell completions, made from the command tree.
//
// Each script finds the command that the words so far lead to, then offers what may stand at the
// cursor: the values of the flag before it, or sub-commands, or flags.
#ifndef CAIRN_SERVER_CLI_COMPLETION_COMPLETION_H_
#define CAIRN_SERVER_CLI_COMPLETION_COMPLETION_H_

#include <string>

#include "server/cli/command_tree.h"

namespace cairn {

std::string BashCompletion(const Command& root);
std::string ZshCompletion(const Command& root);
std::string FishCompletion(const Command& root);

// In single quotes, for any of the three.
std::string ShellQuote(const std::string& text);

// bash and zsh share `case`; these stand before, between and behind the three of a script: from
// words to the command, from command and flag to values, from command to words.
struct CaseScriptParts {
  const char* begin;
  const char* values;
  const char* words;
  const char* end;
};
// value_action: the lines that offer what may follow a flag with that value. words: the case of one
// command.
std::string CaseScript(const Command& root, const CaseScriptParts& parts,
                       std::string (*value_action)(const std::string& value),
                       std::string (*words)(const Command& command));

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_COMPLETION_COMPLETION_H_
