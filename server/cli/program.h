// The cairn program as a function: main adds only where arguments and environment come from.
#ifndef CAIRN_SERVER_CLI_PROGRAM_H_
#define CAIRN_SERVER_CLI_PROGRAM_H_

#include <memory>
#include <string>
#include <vector>

#include "server/cli/options.h"

namespace CLI {
class App;
}

namespace cairn {

// The tree of commands and options. context outlives it.
std::unique_ptr<CLI::App> CreateProgram(CommandContext& context);

// arguments: without the program's name. Returns the exit code; prints whatever the command prints.
int RunProgram(std::vector<std::string> arguments, Environment environment);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_PROGRAM_H_
