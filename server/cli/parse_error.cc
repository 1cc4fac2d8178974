#include "server/cli/parse_error.h"

#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>

#include "base/nearest_name.h"
#include "server/cli/command_tree.h"

namespace cairn {
namespace {

// Why `word`, which nobody expected, is wrong.
std::string Unexpected(const CLI::App& app, const std::string& word) {
  const Command command = DescribeCommand(app);
  const bool is_flag = absl::StartsWith(word, "-");
  std::vector<std::string> known;
  if (is_flag) {
    for (const CommandFlag& flag : command.flags) {
      known.insert(known.end(), flag.names.begin(), flag.names.end());
    }
  } else {
    for (const Command& child : command.commands) known.push_back(child.name);
  }
  const std::string nearest = NearestName(word.substr(0, word.find('=')), known);
  const char* const what = is_flag         ? "unknown option"
                           : known.empty() ? "nothing is expected here"
                                           : "unknown command";
  return absl::StrCat(word, ": ", what,
                      nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?"));
}

}  // namespace

const CLI::App* ChosenCommand(const CLI::App* app) {
  const std::vector<CLI::App*> chosen = app->get_subcommands();
  return chosen.empty() ? app : ChosenCommand(chosen.front());
}

std::string CommandPath(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return absl::StrCat(parent == nullptr ? "" : CommandPath(*parent) + " ", command.get_name());
}

std::string ParseErrorText(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  return extras.empty() ? error.what() : Unexpected(*ChosenCommand(&app), extras.front());
}

}  // namespace cairn
