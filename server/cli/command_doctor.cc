#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "server/cli/commands.h"
#include "server/cli/doctor.h"
#include "server/cli/table.h"
#include "server/cli/terminal.h"

namespace cairn {
namespace {

const char* Word(Health health) {
  switch (health) {
    case Health::kGood:
      return "good";
    case Health::kWarning:
      return "warning";
    case Health::kBad:
      return "bad";
  }
  return "bad";
}

std::string Colored(Health health, const Palette& palette) {
  if (health == Health::kGood) return palette.Good(Word(health));
  return health == Health::kBad ? palette.Bad(Word(health)) : palette.Warning(Word(health));
}

std::string ToText(const std::vector<Finding>& findings, const Palette& palette) {
  Table table("lll");
  for (const Finding& finding : findings) {
    table.Add({Colored(finding.health, palette), finding.subject, finding.observed});
    if (!finding.remedy.empty()) table.Add({"", "", palette.Quiet("-> " + finding.remedy)});
  }
  return table.ToText();
}

std::string ToJson(const std::vector<Finding>& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"subject", finding.subject},
                    {"health", Word(finding.health)},
                    {"observed", finding.observed},
                    {"remedy", finding.remedy}});
  }
  return list.dump() + "\n";
}

int Run(bool json, const Environment& environment) {
  const std::vector<Finding> findings = ExamineMachine();
  const Palette palette = Palette::For(/*descriptor=*/1, environment);
  std::fputs((json ? ToJson(findings) : ToText(findings, palette)).c_str(), stdout);
  for (const Finding& finding : findings) {
    if (finding.health == Health::kBad) return kExitFailure;
  }
  return kExitOk;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, CommandContext& context) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", "Look for what keeps a node from running well");
  command->add_flag("--json", *json, "Print a JSON list");
  command->footer(
      "Example: cairn doctor\n"
      "Fails (1) when something is bad; warnings name what would be better.");
  command->callback([json, &context] { context.exit_code = Run(*json, context.environment); });
}

}  // namespace cairn
