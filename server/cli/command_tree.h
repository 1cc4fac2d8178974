// The commands and flags of a program as plain values, read from the CLI11 application itself so
// that nothing which is generated from them can be out of date.
#ifndef CAIRN_SERVER_CLI_COMMAND_TREE_H_
#define CAIRN_SERVER_CLI_COMMAND_TREE_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cairn {

struct CommandFlag {
  std::vector<std::string> names;  // "--coordinators", "-h"
  std::string value;               // as in --help: "FILE", "true|false"; empty: takes none
  std::string help;

  // The words that may stand there: those of "a|b|c", else none.
  std::vector<std::string> Choices() const;
};

struct Command {
  std::string path;  // "cairn tenant add"
  std::string name;  // "add"
  std::string help;
  std::vector<CommandFlag> flags;
  std::vector<CommandFlag> arguments;  // positional, by name
  std::vector<Command> commands;
};

// Hidden commands are left out.
Command DescribeCommand(const CLI::App& app);
// `root` and all below it, parents first. root outlives the result.
std::vector<const Command*> AllCommands(const Command& root);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_COMMAND_TREE_H_
