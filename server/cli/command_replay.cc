#include <CLI/CLI.hpp>

#include <cstdio>

#include "base/config.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/exit_code.h"
#include "server/cli/progress_bar.h"
#include "server/cli/replay/replay.h"
#include "server/cli/termination.h"

namespace cairn {
namespace {

struct Options {
  ReplayOptions replay;
  bool json = false;
};

void BindWorkerOptions(ReplayWorkerOptions& options, ConfigSchema& schema) {
  schema.Add("coordinators", &options.coordinators, "Addresses of the coordinators.");
  schema.Add("tenant_file", &options.tenant_file, "Name and secret, from `cairn tenant add`.");
  schema.Add("trace", &options.trace, "Trace file, JSON lines.");
  schema.AddBytes("block_bytes", &options.block_bytes, {4096, uint64_t{64} << 20},
                  "Payload per block of 512 tokens.");
  schema.Add("timeout", &options.timeout, {absl::Milliseconds(10), absl::Minutes(10)},
             "Deadline of each operation.");
}

absl::Status CheckWorkerOptions(const ReplayWorkerOptions& options) {
  if (options.coordinators.empty()) {
    return absl::InvalidArgumentError(
        "coordinators: none given; add --coordinators 127.0.0.1:7400 (`cairn up` starts one)");
  }
  if (options.tenant_file.empty()) {
    return absl::InvalidArgumentError(
        "tenant_file: none given; make one with `cairn tenant add NAME --out FILE`");
  }
  if (options.trace.empty()) {
    return absl::InvalidArgumentError("trace: none given; add --trace FILE");
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Run(const Options& options, const Environment& environment) {
  CAIRN_RETURN_IF_ERROR(CheckWorkerOptions(options.replay.worker));
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  ProgressBar bar(environment);
  CAIRN_ASSIGN_OR_RETURN(
      const ReplaySummary summary,
      Replay(options.replay, [&bar, &termination](const ReplayProgress& progress) {
        bar.Show(progress);
        return !termination.Wait(absl::ZeroDuration());
      }));
  bar.Finish();
  std::printf("%s%s", (options.json ? summary.ToJson() : summary.ToText()).c_str(),
              options.json ? "\n" : "");
  return summary.clean() ? kExitOk : kExitFailure;
}

}  // namespace

void AddReplayCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command = app.add_subcommand("replay", "Replay a request trace against a cluster");
  BindWorkerOptions(options->replay.worker, flags->schema());
  flags->schema().Add("clients", &options->replay.clients, {1, 64}, "processes",
                      "Client processes.");
  flags->schema().Add("speed", &options->replay.speed, {0, 1e6}, "times",
                      "1 keeps the trace's time; 0 is as fast as possible.");
  flags->schema().Add("requests_max", &options->replay.requests_max, {0, 1 << 30}, "requests",
                      "Stop after so many; 0 replays all.");
  flags->AddFlags(*command);
  command->add_flag("--json", options->json, "Print the summary as one JSON object");
  command->footer(
      "Example: cairn replay --coordinators 127.0.0.1:7400 --tenant-file default.tenant --trace "
      "trace.jsonl\nFails (1) when a byte was wrong or an answer late.");
  command->callback([options, flags, &environment, exit_code] {
    absl::Status status = flags->Load();
    if (status.ok()) {
      const absl::StatusOr<int> code = Run(*options, environment);
      if (code.ok()) *exit_code = *code;
      status = code.status();
    }
    if (!status.ok()) *exit_code = ReportError(status);
  });
}

void AddReplayWorkerCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<ReplayWorkerOptions>();
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command = app.add_subcommand("replay-worker", "One client process of a replay");
  command->group("");  // Started by replay and demo only.
  BindWorkerOptions(*options, flags->schema());
  flags->AddFlags(*command);
  command->callback([options, flags, exit_code] {
    absl::Status status = flags->Load();
    if (status.ok()) status = RunReplayWorker(*options, kReplayChannelDescriptor);
    *exit_code = status.ok() ? kExitOk : ReportError(status);
  });
}

}  // namespace cairn
