// Joins a command's flags with the configuration schema: flag > CAIRN_* > file > default.
#ifndef CAIRN_SERVER_CLI_OPTIONS_H_
#define CAIRN_SERVER_CLI_OPTIONS_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <absl/status/statusor.h>

#include "base/config.h"
#include "server/cli/exit_code.h"

namespace CLI {
class App;
}

namespace cairn {

// The whole environment; read once, in main.
using Environment = std::map<std::string, std::string>;

// What all commands of a program share. Outlives the CLI11 application.
struct CommandContext {
  Environment environment;
  std::set<std::string> variables;  // of every command: one's is no mistake in front of another
  int exit_code = kExitOk;          // of the command that ran
};

// One command's options. Lives as long as the CLI11 application that parses into it.
class CommandOptions {
 public:
  explicit CommandOptions(CommandContext& context) : context_(context) {}

  ConfigSchema& schema() { return schema_; }
  const Environment& environment() const { return context_.environment; }
  // Declares a flag --name-with-dashes for each option of the schema, and --config FILE.
  void AddFlags(CLI::App& command);
  // After parsing: reads file and environment, sets all targets. kInvalidArgument: one line a
  // mistake.
  absl::Status Load();
  // For the command's callback: Load, then `run`. Errors are printed; the exit code is set.
  void Run(const std::function<absl::Status()>& run);
  void RunWithCode(const std::function<absl::StatusOr<int>()>& run);

 private:
  void AddFlag(CLI::App& command, const ConfigOption& option);

  CommandContext& context_;
  ConfigSchema schema_;
  std::map<std::string, std::string> flag_texts_;
  std::string config_path_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_OPTIONS_H_
