#include "server/cli/command_tree.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <CLI/CLI.hpp>

#include "base/status.h"

namespace cairn {
namespace {

CommandFlag Describe(const CLI::Option& option) {
  CommandFlag flag{{}, option.get_type_name(), option.get_description()};
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  if (option.get_positional()) flag.names = {option.get_name()};
  if (option.get_items_expected_max() == 0) flag.value.clear();
  return flag;
}

Command DescribeBelow(const CLI::App& app, const std::string& parent) {
  Command command{parent + app.get_name(), app.get_name(), app.get_description(), {}, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    (option->get_positional() ? command.arguments : command.flags).push_back(Describe(*option));
  }
  const auto shown = [](const CLI::App* child) { return !child->get_group().empty(); };
  for (const CLI::App* child : app.get_subcommands(shown)) {
    command.commands.push_back(DescribeBelow(*child, command.path + " "));
  }
  return command;
}

void AppendAll(const Command& command, std::vector<const Command*>& all) {
  all.push_back(&command);
  for (const Command& child : command.commands) AppendAll(child, all);
}

}  // namespace

std::vector<std::string> CommandFlag::Choices() const {
  if (value.find('|') == std::string::npos) return {};
  return absl::StrSplit(Absl(value), '|');
}

Command DescribeCommand(const CLI::App& app) { return DescribeBelow(app, ""); }

std::vector<const Command*> AllCommands(const Command& root) {
  std::vector<const Command*> all;
  AppendAll(root, all);
  return all;
}

}  // namespace cairn
