#include "server/cli/options.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>

#include "base/disk.h"
#include "base/status.h"

namespace cairn {

void CommandOptions::AddFlags(CLI::App& command) {
  schema_.ReserveEnvironment("CAIRN_CONFIG");
  command.add_option("--config", config_path_, "YAML file of options; unknown keys are errors")
      ->envname("CAIRN_CONFIG");
  for (const ConfigOption& option : schema_.Options()) {
    std::string flag = option.name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    std::string help = option.help;
    if (!option.default_value.empty()) absl::StrAppend(&help, " [", option.default_value, "]");
    command.add_option_function<std::string>(
        absl::StrCat("--", flag),
        [this, name = option.name](const std::string& text) { flag_texts_[name] = text; }, help);
  }
}

absl::Status CommandOptions::Load() {
  ConfigSources sources{flag_texts_, environment_, std::nullopt};
  if (!config_path_.empty()) {
    absl::StatusOr<std::string> text = RealDisk().ReadFile(config_path_);
    if (!text.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--config: ", text.status().message()));
    }
    sources.file = ConfigFile{config_path_, *std::move(text)};
  }
  return schema_.Load(sources);
}

}  // namespace cairn
