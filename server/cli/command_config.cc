#include <cstdio>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/config_check.h"
#include "server/cli/table.h"
#include "server/cli/terminal.h"

namespace cairn {
namespace {

struct Options {
  std::string command = "up";
  std::string file;
  bool json = false;
};

nlohmann::ordered_json ToJson(const std::vector<ConfigOption>& options) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ConfigOption& option : options) {
    list.push_back({{"name", option.name},
                    {"value", option.value},
                    {"source", option.source},
                    {"default", option.default_value},
                    {"type", option.type},
                    {"range", option.range},
                    {"environment", option.environment},
                    {"help", option.help}});
  }
  return list;
}

std::string ToText(const std::vector<ConfigOption>& options, const Palette& palette) {
  Table table("lll");
  table.Add({palette.Heading("OPTION"), palette.Heading("VALUE"), palette.Heading("FROM")});
  for (const ConfigOption& option : options) {
    const bool quiet = option.source == "default";
    table.Add({option.name, option.value.empty() ? "-" : option.value,
               quiet ? palette.Quiet(option.source) : palette.Accent(option.source)});
  }
  return table.ToText();
}

int Check(const Options& options, std::vector<std::string> flags, CommandContext& context) {
  if (!options.file.empty()) flags.insert(flags.begin(), {"--config", options.file});
  const absl::StatusOr<std::vector<ConfigOption>> checked =
      CheckConfig(options.command, std::move(flags), context);
  if (options.json) {
    nlohmann::ordered_json json = {{"command", options.command}, {"good", checked.ok()}};
    if (checked.ok()) {
      json["options"] = ToJson(*checked);
    } else {
      json["mistakes"] = std::vector<std::string>(absl::StrSplit(checked.status().message(), '\n'));
    }
    std::printf("%s\n", json.dump().c_str());
    return checked.ok() ? kExitOk : kExitUsage;
  }
  if (!checked.ok()) return ReportError(checked.status());
  const Palette palette = Palette::For(/*descriptor=*/1, context.environment);
  std::printf("%s\n%s: `cairn %s` would start with these values.\n",
              ToText(*checked, palette).c_str(), palette.Good("good").c_str(),
              options.command.c_str());
  return kExitOk;
}

}  // namespace

void AddConfigCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("config", "Look at a configuration without using it");
  command->require_subcommand(1);
  command->footer("Example: cairn config check --for node --config node.yaml");
  CLI::App* check = command->add_subcommand(
      "check", "Validate a configuration and show each value with where it comes from");
  check->add_option("--for", options->command, "The command that it is for [up]")
      ->type_name(kCheckedCommands);
  check->add_option("--config", options->file, "YAML file of options")->type_name("FILE");
  check->add_flag("--json", options->json, "Print one JSON object");
  check->allow_extras();  // the command's own flags
  check->footer(
      "Flags of the command itself count as they would there:\n"
      "Example: cairn config check --for node --config node.yaml --dram-bytes 64GiB\n"
      "Fails (2) when the command would not start with it.");
  check->callback([options, check, &context] {
    context.exit_code = Check(*options, check->remaining(), context);
  });
}

}  // namespace cairn
