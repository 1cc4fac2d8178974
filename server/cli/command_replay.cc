#include <cstdio>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/config.h"
#include "base/status.h"
#include "server/cli/block_client_flags.h"
#include "server/cli/commands.h"
#include "server/cli/replay/simulate.h"
#include "server/cli/replay_run.h"
#include "server/cli/termination.h"

namespace cairn {
namespace {

struct Options {
  ReplayOptions replay;
  bool json = false;
  bool simulate = false;
  std::string policy = "learned";
  std::string dram = "3%";
  std::string flash;  // empty: none
  double write_budget = 0;
};

void BindWorkerOptions(ReplayWorkerOptions& options, ConfigSchema& schema) {
  BindBlockClientOptions(options.client, schema);
  BindBlockBytes(options.client, "Payload per block of 512 tokens.", schema);
  schema.Add("trace", &options.trace, "Trace file, JSON lines.");
}

absl::Status CheckTrace(const std::string& trace) {
  return trace.empty() ? absl::InvalidArgumentError("trace: none given; add --trace FILE")
                       : absl::OkStatus();
}

absl::Status CheckWorkerOptions(const ReplayWorkerOptions& options) {
  CAIRN_RETURN_IF_ERROR(options.client.Validate());
  return CheckTrace(options.trace);
}

absl::StatusOr<int> RunSimulation(const Options& options) {
  CAIRN_RETURN_IF_ERROR(CheckTrace(options.replay.worker.trace));
  SimulateOptions simulate;
  CAIRN_ASSIGN_OR_RETURN(simulate.policy, ParsePolicyKind(options.policy));
  CAIRN_ASSIGN_OR_RETURN(simulate.dram_share, ParseShare("dram", options.dram));
  if (!options.flash.empty()) {
    CAIRN_ASSIGN_OR_RETURN(simulate.flash_share, ParseShare("flash", options.flash));
  } else if (options.write_budget > 0) {
    return absl::InvalidArgumentError(
        "write_budget: there is no NVMe to write to; give flash, too, e.g. 100%");
  }
  simulate.flash_writes_per_reference = options.write_budget;
  CAIRN_ASSIGN_OR_RETURN(const std::vector<TraceRequest> trace,
                         ReadTrace(options.replay.worker.trace));
  CAIRN_ASSIGN_OR_RETURN(const SimulationResult result, Simulate(NumberBlocks(trace), simulate));
  if (options.json) {
    std::printf("%s\n", SimulationJson(result).c_str());
  } else {
    std::printf("%s", SimulationText(result).c_str());
  }
  return kExitOk;
}

absl::StatusOr<int> Run(const Options& options, const Environment& environment) {
  if (options.simulate) return RunSimulation(options);
  CAIRN_RETURN_IF_ERROR(CheckWorkerOptions(options.replay.worker));
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const ReplaySummary summary,
                         ReplayWatched(options.replay, termination, environment));
  return PrintSummary(summary, options.json);
}

}  // namespace

void AddReplayCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("replay", "Replay a request trace against a cluster");
  BindWorkerOptions(options->replay.worker, flags->schema());
  flags->schema().Add("clients", &options->replay.clients, {1, 64}, "processes",
                      "Client processes.");
  flags->schema().Add("speed", &options->replay.speed, {0, 1e6}, "times",
                      "1 keeps the trace's time; 0 is as fast as possible.");
  flags->schema().Add("requests_max", &options->replay.requests_max, {0, 1 << 30}, "requests",
                      "Stop after so many; 0 replays all.");
  flags->schema().Add("policy", &options->policy,
                      "With --simulate: which block leaves memory first: lru, s3fifo or learned.");
  flags->schema().Add("dram", &options->dram,
                      "With --simulate: memory as a share of the trace's unique blocks.");
  flags->schema().Add("flash", &options->flash,
                      "With --simulate: NVMe behind it, as a share of them; empty: none.");
  flags->schema().Add("write_budget", &options->write_budget, {0, 1}, "blocks written a block used",
                      "With --simulate: at most so much is written to NVMe; 0: no limit.");
  flags->AddFlags(*command);
  command->add_flag("--json", options->json, "Print the summary as one JSON object");
  command->add_flag("--simulate", options->simulate,
                    "No cluster: what one node's memory of this size and policy would give");
  command->footer(
      "Example: cairn replay --coordinators 127.0.0.1:7400 --tenant-file "
      "cairn-state/default.tenant --trace "
      "trace.jsonl\nFails (1) when a byte was wrong or an answer late.");
  command->callback([options, flags] {
    flags->RunWithCode([&] { return Run(*options, flags->environment()); });
  });
}

void AddReplayWorkerCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<ReplayWorkerOptions>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command = app.add_subcommand("replay-worker", "One client process of a replay");
  command->group("");  // Started by replay and demo only.
  BindWorkerOptions(*options, flags->schema());
  flags->AddFlags(*command);
  command->callback([options, flags] {
    flags->Run([&] { return RunReplayWorker(*options, kReplayChannelDescriptor); });
  });
}

}  // namespace cairn
