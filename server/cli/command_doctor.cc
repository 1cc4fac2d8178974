#include <CLI/CLI.hpp>

#include <cstdio>

#include <nlohmann/json.hpp>

#include "server/cli/commands.h"
#include "server/cli/doctor.h"
#include "server/cli/exit_code.h"

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

int Run(bool json) {
  const std::vector<Finding> findings = ExamineMachine();
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  bool bad = false;
  for (const Finding& finding : findings) {
    bad = bad || finding.health == Health::kBad;
    list.push_back({{"subject", finding.subject},
                    {"health", Word(finding.health)},
                    {"observed", finding.observed},
                    {"remedy", finding.remedy}});
    if (json) continue;
    std::printf("%-8s %-11s %s\n", Word(finding.health), finding.subject.c_str(),
                finding.observed.c_str());
    if (!finding.remedy.empty()) std::printf("%21s%s\n", "", finding.remedy.c_str());
  }
  if (json) std::printf("%s\n", list.dump().c_str());
  return bad ? kExitFailure : kExitOk;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, const Environment&, int* exit_code) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", "Look for what keeps a node from running well");
  command->add_flag("--json", *json, "Print a JSON list");
  command->footer("Fails (1) when something is bad; warnings name what would be better.");
  command->callback([json, exit_code] { *exit_code = Run(*json); });
}

}  // namespace cairn
