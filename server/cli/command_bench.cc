#include <cstdio>

#include <absl/strings/str_format.h>
#include <CLI/CLI.hpp>

#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "server/cli/bench/bench.h"
#include "server/cli/block_client_flags.h"
#include "server/cli/commands.h"
#include "server/cli/figures.h"
#include "server/cli/progress_bar.h"
#include "server/cli/termination.h"

namespace cairn {
namespace {

struct Options {
  BenchOptions bench;
  bool json = false;
};

void Bind(BenchOptions& options, ConfigSchema& schema) {
  options.client.block_bytes = 64 << 10;
  BindBlockClientOptions(options.client, schema);
  BindBlockBytes(options.client, "Payload per block.", schema);
  schema.Add("seconds", &options.seconds, {0, 1e6}, "seconds",
             "How long to measure; 0: until --blocks, or 10 without.");
  schema.Add("blocks", &options.blocks, {0, int64_t{1} << 40}, "blocks",
             "Stop after so many; 0: until --seconds.");
  schema.Add("get_share", &options.get_share, {0, 1}, "", "Gets among the calls; the rest puts.");
  schema.AddBytes("working_set", &options.working_set, {4096, uint64_t{1} << 44},
                  "Gets choose among the last so many bytes that were stored.");
  schema.Add("batch", &options.batch, {1, 1024}, "blocks", "Blocks a call: the head of a chain.");
  schema.Add("depth", &options.depth, {1, 256}, "calls", "Calls in flight of each client.");
  schema.Add("clients", &options.clients, {1, 64}, "threads", "Clients, a thread each.");
}

std::string Figures(const BenchProgress& progress, uint64_t block_bytes) {
  if (progress.prepares) return "connecting, storing the working set";
  const double bytes = static_cast<double>(progress.moved_blocks * block_bytes);
  return absl::StrFormat("%s moved, %.2f GB/s", FormatMoved(progress.moved_blocks * block_bytes),
                         progress.seconds > 0 ? bytes / progress.seconds / 1e9 : 0);
}

absl::StatusOr<int> Run(const Options& options, const Environment& environment) {
  SetLog(LogLevel::kWarning, LogFormat::kKeyValue);
  CAIRN_RETURN_IF_ERROR(options.bench.Validate());
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  ProgressBar bar("bench", environment);
  const absl::StatusOr<BenchSummary> summary =
      RunBench(options.bench, [&](const BenchProgress& progress) {
        bar.Show(progress.done, progress.seconds,
                 Figures(progress, options.bench.client.block_bytes));
        return !termination.Wait(absl::ZeroDuration());
      });
  bar.Finish();
  CAIRN_RETURN_IF_ERROR(summary.status());
  if (options.json) {
    std::printf("%s\n", summary->ToJson().c_str());
  } else {
    std::fputs(summary->ToText().c_str(), stdout);
  }
  return summary->good() ? kExitOk : kExitFailure;
}

}  // namespace

void AddBenchCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command =
      app.add_subcommand("bench", "Load a cluster with puts and gets and check every byte");
  Bind(options->bench, flags->schema());
  flags->AddFlags(*command);
  command->add_flag("--json", options->json, "Print the summary as one JSON object");
  command->footer(
      "Example: cairn bench --coordinator 127.0.0.1:7400 --tenant-file cairn-state/default.tenant "
      "--seconds 5\n"
      "It stores new blocks all the time, which evict older ones once the nodes are full.\n"
      "Fails (1) when a byte was wrong or nothing moved.");
  command->callback([options, flags] {
    flags->RunWithCode([&] { return Run(*options, flags->environment()); });
  });
}

}  // namespace cairn
