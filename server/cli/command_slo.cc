// cairn slo set | list | rm: objectives, their budgets and how fast they burn.
#include <cstdio>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/status.h"
#include "cairn/v1/objectives.pb.h"
#include "proto/urgency.h"
#include "server/cli/admin_call.h"
#include "server/cli/admin_verb.h"
#include "server/cli/commands.h"
#include "server/cli/objective_text.h"
#include "server/cli/table.h"

namespace cairn {
namespace {

struct Options {
  AdminOptions admin;
  ObjectiveText text;
  std::string p99;
  std::string name;
  bool json = false;
  Palette palette{false};
};

std::string Promise(const v1::Objective& objective) {
  const std::string share = absl::StrFormat("%g %%", objective.target_ppm() / 1e4);
  if (objective.kind() == v1::Objective::ANSWERED) {
    return absl::StrCat(share, " of calls answered by their deadline");
  }
  const std::string urgency =
      objective.has_urgency() ? absl::StrCat(UrgencyText(objective.urgency()), " ") : "";
  return absl::StrCat(
      share, " of ", urgency, "gets of up to ", SizeClassText(objective.size_class()),
      objective.tier() == v1::UNKNOWN_TIER ? std::string()
                                           : absl::StrCat(" from ", TierText(objective.tier())),
      " within ", ThresholdText(objective.threshold_ns()));
}

absl::Status Set(const Options& options) {
  ObjectiveText text = options.text;
  if (!options.p99.empty()) {
    if (!text.within.empty()) {
      return absl::InvalidArgumentError("p99: within is given as well; give one of the two");
    }
    text.within = options.p99;
  }
  v1::SetObjectiveRequest request;
  CAIRN_ASSIGN_OR_RETURN(*request.mutable_objective(), ParseObjective(text));
  CAIRN_RETURN_IF_ERROR(
      AdminCall<v1::SetObjectiveReply>(options.admin, "/cairn.v1.Observer/SetObjective", request)
          .status());
  const v1::Objective& objective = request.objective();
  std::printf("objective %s: %s, over %s, for %s\n", objective.name().c_str(),
              Promise(objective).c_str(), WindowText(objective.window_s()).c_str(),
              objective.tenant().empty() ? "all tenants"
                                         : absl::StrCat("tenant ", objective.tenant()).c_str());
  return absl::OkStatus();
}

std::string UrgencyWord(const v1::Objective& objective) {
  return objective.has_urgency() ? std::string(UrgencyText(objective.urgency())) : "any";
}

std::string ListJson(const v1::ListObjectivesReply& reply) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::ObjectiveState& state : reply.objectives()) {
    const v1::Objective& objective = state.objective();
    nlohmann::ordered_json burns = nlohmann::ordered_json::array();
    for (const v1::BurnRate& burn : state.burns()) {
      burns.push_back({{"long_window_s", burn.long_window_s()},
                       {"short_window_s", burn.short_window_s()},
                       {"factor", burn.factor()},
                       {"long_rate", burn.long_rate()},
                       {"short_rate", burn.short_rate()},
                       {"firing", burn.firing()},
                       {"severity", burn.severity()}});
    }
    const bool latency = objective.kind() == v1::Objective::LATENCY;
    list.push_back({{"name", objective.name()},
                    {"kind", latency ? "latency" : "answered"},
                    {"tenant", objective.tenant()},
                    {"tier", latency ? TierText(objective.tier()) : ""},
                    {"size", latency ? SizeClassText(objective.size_class()) : ""},
                    {"urgency", latency ? UrgencyWord(objective) : ""},
                    {"within_ns", objective.threshold_ns()},
                    {"target", objective.target_ppm() / 1e6},
                    {"window_s", objective.window_s()},
                    {"good", state.good()},
                    {"total", state.total()},
                    {"attainment", state.attainment()},
                    {"budget_left", state.budget_left()},
                    {"exhausted_in_s", state.exhausted_in_s()},
                    {"history_s", state.history_s()},
                    {"verdict", state.verdict()},
                    {"burns", burns}});
  }
  return list.dump() + "\n";
}

std::string Exhaustion(const v1::ObjectiveState& state) {
  if (state.exhausted_in_s() < 0) return "-";
  if (state.exhausted_in_s() == 0) return "spent";
  return absl::FormatDuration(absl::Seconds(state.exhausted_in_s()));
}

std::string ListText(const v1::ListObjectivesReply& reply, const Palette& palette) {
  if (reply.objectives().empty()) {
    return "no objectives; cairn slo set --tier dram --size 1MiB --within 1ms makes one\n";
  }
  Table table("llrrrrl");
  table.Add({palette.Heading("OBJECTIVE"), palette.Heading("PROMISE"), palette.Heading("KEPT"),
             palette.Heading("BUDGET LEFT"), palette.Heading("BURN 1h"),
             palette.Heading("SPENT IN"), palette.Heading("VERDICT")});
  for (const v1::ObjectiveState& state : reply.objectives()) {
    const bool seen = state.total() > 0;
    table.Add(
        {state.objective().name(),
         absl::StrCat(Promise(state.objective()), ", ", WindowText(state.objective().window_s())),
         seen ? absl::StrFormat("%.3f %%", 100 * state.attainment()) : "-",
         seen ? absl::StrFormat("%.1f %%", 100 * state.budget_left()) : "-",
         seen ? absl::StrFormat("%.1f", state.burns(0).long_rate()) : "-", Exhaustion(state),
         state.verdict() == "no_traffic" ? "no traffic" : state.verdict()});
  }
  return table.ToText();
}

absl::Status List(const Options& options) {
  CAIRN_ASSIGN_OR_RETURN(const auto reply, AdminCall<v1::ListObjectivesReply>(
                                               options.admin, "/cairn.v1.Observer/ListObjectives",
                                               v1::ListObjectivesRequest()));
  std::fputs((options.json ? ListJson(reply) : ListText(reply, options.palette)).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Remove(const Options& options) {
  v1::RemoveObjectiveRequest request;
  request.set_name(options.name);
  CAIRN_RETURN_IF_ERROR(AdminCall<v1::RemoveObjectiveReply>(
                            options.admin, "/cairn.v1.Observer/RemoveObjective", request)
                            .status());
  std::printf("objective %s removed\n", options.name.c_str());
  return absl::OkStatus();
}

void AddTextOptions(CLI::App& verb, Options& options) {
  ObjectiveText& text = options.text;
  verb.add_option("--name", text.name, "Its name; made of the rest if not given");
  verb.add_option("--kind", text.kind,
                  "latency: gets within a time; answered: calls that end by their deadline, with "
                  "bytes or a refusal")
      ->capture_default_str();
  verb.add_option("--tenant", text.tenant, "Whose calls; all tenants' if not given");
  verb.add_option("--tier", text.tier,
                  "dram or nvme, as the nodes measure it; any, as the clients see it")
      ->capture_default_str();
  verb.add_option("--size", text.size, "Size class of the blocks, as 1MiB");
  verb.add_option("--urgency", text.urgency,
                  "interactive, standard or batch: of clients with that setting alone; or any")
      ->capture_default_str();
  verb.add_option("--within", text.within, "What a good get takes at most, as 1ms")
      ->type_name("TIME");
  verb.add_option("--p99", options.p99, "The same as --within with the default target")
      ->type_name("TIME");
  verb.add_option("--target", text.target, "Per cent of the calls that must be good")
      ->capture_default_str();
  verb.add_option("--window", text.window, "Over which the budget counts, 1h to 30d")
      ->capture_default_str();
}

}  // namespace

void AddSloCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("slo", "Set, list and remove latency objectives");
  command->require_subcommand(1);
  command->footer("Example: cairn slo list --admin-file cairn-state/coordinator/admin");
  AddAdminVerb(
      *command, context, "set", "Set an objective, or replace the one of that name", Set,
      [](CLI::App& verb, Options& options, ConfigSchema&) {
        AddTextOptions(verb, options);
        verb.footer(
            "Example: cairn slo set --tier dram --size 1MiB --p99 1ms --target 99.9 --window 30d "
            "--admin-file cairn-state/coordinator/admin\n"
            "Example: cairn slo set --kind answered --target 99.99 --admin-file "
            "cairn-state/coordinator/admin");
      });
  AddAdminVerb(*command, context, "list", "List the objectives, the least budget left first", List,
               [](CLI::App& verb, Options& options, ConfigSchema&) {
                 verb.add_flag("--json", options.json, "Print JSON");
                 verb.footer("Example: cairn slo list --admin-file cairn-state/coordinator/admin");
               });
  AddAdminVerb(
      *command, context, "rm", "Remove an objective", Remove,
      [](CLI::App& verb, Options& options, ConfigSchema&) {
        verb.add_option("name", options.name, "The objective")->required();
        verb.footer(
            "Example: cairn slo rm dram-1mib-1ms --admin-file cairn-state/coordinator/admin");
      });
}

}  // namespace cairn
