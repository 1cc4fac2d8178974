#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/status.h"
#include "server/cli/admin.h"
#include "server/cli/commands.h"
#include "server/cli/control_call.h"
#include "server/cli/doctor.h"
#include "server/cli/options.h"
#include "server/cli/sharing_check.h"
#include "server/cli/table.h"
#include "server/cli/terminal.h"
#include "transport/real_network.h"

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

struct DoctorOptions {
  std::string engine;  // empty: the machine
  AdminOptions admin;
  bool json = false;
};

absl::StatusOr<std::vector<Finding>> Examine(const DoctorOptions& options) {
  if (options.engine.empty()) return ExamineMachine();
  CAIRN_RETURN_IF_ERROR(CheckEngineName(options.engine));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                         CreateRealNetwork(options.admin.Network()));
  v1::ListNamespacesRequest request;
  CAIRN_ASSIGN_OR_RETURN(*request.mutable_admin_credential(), ReadAdminCredential(options.admin));
  CAIRN_ASSIGN_OR_RETURN(const auto known, ControlCall<v1::ListNamespacesReply>(
                                               *network, options.admin.coordinator,
                                               "/cairn.v1.Coordinator/ListNamespaces", request));
  return ExamineSharing(options.engine, known);
}

absl::StatusOr<int> Run(const DoctorOptions& options, const Environment& environment) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<Finding> findings, Examine(options));
  const Palette palette = Palette::For(/*descriptor=*/1, environment);
  std::fputs((options.json ? ToJson(findings) : ToText(findings, palette)).c_str(), stdout);
  for (const Finding& finding : findings) {
    if (finding.health == Health::kBad) return kExitFailure;
  }
  return kExitOk;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<DoctorOptions>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand(
      "doctor", "Look for what keeps a node from running well, or engines from sharing");
  flags->schema().Add("engine", &options->engine,
                      "Why its hits are few: vllm, sglang, tensorrt-llm or lmcache.");
  BindAdminOptions(options->admin, flags->schema());
  flags->AddFlags(*command);
  command->add_flag("--json", options->json, "Print a JSON list");
  command->footer(
      "Example: cairn doctor\n"
      "Example: cairn doctor --engine vllm --coordinator 127.0.0.1:7400 --admin-file "
      "cairn-state/coordinator/admin\n"
      "Fails (1) when something is bad; warnings name what would be better.");
  command->callback([options, flags] {
    flags->RunWithCode([&] { return Run(*options, flags->environment()); });
  });
}

}  // namespace cairn
