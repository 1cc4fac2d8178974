#include "server/cli/options.h"

#include <algorithm>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>

#include "base/disk.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr char kConfigVariable[] = "CAIRN_CONFIG";

// What stands behind the flag in --help, and what completions offer there.
std::string TypeName(const ConfigOption& option) {
  if (option.type == "boolean") return "true|false";
  if (option.type == "size") return "SIZE";
  if (option.type == "duration") return "DURATION";
  if (option.type == "integer" || option.type == "number") return "NUMBER";
  if (absl::EndsWith(option.name, "folder")) return "FOLDER";
  if (absl::EndsWith(option.name, "file") || option.name == "trace") return "FILE";
  if (option.type == "list") return "ADDRESS,...";
  return absl::EndsWith(option.name, "listen") || option.name == "coordinator" ? "ADDRESS" : "TEXT";
}

std::string HelpText(const ConfigOption& option) {
  std::string help = option.help;
  if (!option.default_value.empty()) absl::StrAppend(&help, " [", option.default_value, "]");
  return help;
}

}  // namespace

void CommandOptions::AddFlag(CLI::App& command, const ConfigOption& option) {
  std::string names = absl::StrCat("--", option.name);
  std::replace(names.begin(), names.end(), '_', '-');
  // Some commands speak with one coordinator, others with several: nobody should have to know.
  if (option.name == "coordinators") names += ",--coordinator";
  const bool boolean = option.type == "boolean";
  CLI::Option* flag = command.add_option_function<std::string>(
      names,
      [this, boolean, name = option.name](const std::string& text) {
        flag_texts_[name] = boolean && text.empty() ? "true" : text;
      },
      HelpText(option));
  // A script's flags may be followed by a person's: the last one counts.
  flag->type_name(TypeName(option))->take_last();
  if (boolean) flag->expected(0, 1);
}

void CommandOptions::AddFlags(CLI::App& command) {
  command.add_option("--config", config_path_, "YAML file of options; unknown keys are errors")
      ->type_name("FILE")
      ->take_last();
  context_.variables.insert(kConfigVariable);
  for (const ConfigOption& option : schema_.Options()) {
    context_.variables.insert(option.environment);
    AddFlag(command, option);
  }
}

absl::Status CommandOptions::Load() {
  ConfigSources sources{flag_texts_, context_.environment, std::nullopt};
  for (const std::string& variable : context_.variables) schema_.ReserveEnvironment(variable);
  const auto config = sources.environment.find(kConfigVariable);
  if (config_path_.empty() && config != sources.environment.end()) config_path_ = config->second;
  if (!config_path_.empty()) {
    absl::StatusOr<std::string> text = RealDisk().ReadFile(config_path_);
    if (!text.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--config: ", text.status().message()));
    }
    sources.file = ConfigFile{config_path_, *std::move(text)};
  }
  return schema_.Load(sources);
}

void CommandOptions::Run(const std::function<absl::Status()>& run) {
  RunWithCode([&run]() -> absl::StatusOr<int> {
    CAIRN_RETURN_IF_ERROR(run());
    return kExitOk;
  });
}

void CommandOptions::RunWithCode(const std::function<absl::StatusOr<int>()>& run) {
  const absl::Status loaded = Load();
  const absl::StatusOr<int> code = loaded.ok() ? run() : loaded;
  context_.exit_code = code.ok() ? *code : ReportError(code.status());
}

}  // namespace cairn
