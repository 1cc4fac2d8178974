// Joins a command's flags with the configuration schema: flag > CAIRN_* > file > default.
#ifndef CAIRN_SERVER_CLI_OPTIONS_H_
#define CAIRN_SERVER_CLI_OPTIONS_H_

#include <map>
#include <memory>
#include <string>

#include <absl/status/status.h>

#include "base/config.h"

namespace CLI {
class App;
}

namespace cairn {

// The whole environment; read once, in main.
using Environment = std::map<std::string, std::string>;

// One command's options. Lives as long as the CLI11 application that parses into it.
class CommandOptions {
 public:
  explicit CommandOptions(const Environment& environment) : environment_(environment) {}

  ConfigSchema& schema() { return schema_; }
  // Declares a flag --name-with-dashes for each option of the schema, and --config FILE.
  void AddFlags(CLI::App& command);
  // After parsing: reads file and environment, sets all targets. kInvalidArgument: one line a
  // mistake.
  absl::Status Load();

 private:
  const Environment& environment_;
  ConfigSchema schema_;
  std::map<std::string, std::string> flag_texts_;
  std::string config_path_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_OPTIONS_H_
