// What a wrong command line is told.
#ifndef CAIRN_SERVER_CLI_PARSE_ERROR_H_
#define CAIRN_SERVER_CLI_PARSE_ERROR_H_

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace cairn {

// The command that was chosen, as far as `app` could understand its arguments.
const CLI::App* ChosenCommand(const CLI::App* app);
// "cairn tenant add"
std::string CommandPath(const CLI::App& command);

// The message of `error`, which app.parse has thrown; of an unknown word it names the nearest known
// one.
std::string ParseErrorText(const CLI::App& app, const CLI::ParseError& error);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_PARSE_ERROR_H_
