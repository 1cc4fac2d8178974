#include <CLI/CLI.hpp>

#include <cstdio>

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "server/cli/commands.h"
#include "server/cli/exit_code.h"
#include "server/cli/local_cluster.h"
#include "server/cli/progress_bar.h"
#include "server/cli/replay/replay.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

struct Options {
  LocalClusterOptions cluster;
  ReplayOptions replay;
  bool once = false;
  bool json = false;
};

void PrintWhatRuns(const LocalCluster& cluster, const LocalClusterOptions& options) {
  std::fprintf(stderr, "coordinator   %s   http://%s/metrics\n", cluster.coordinator().c_str(),
               cluster.coordinator_http().c_str());
  for (const std::string& http : cluster.node_http()) {
    std::fprintf(stderr, "node          %s of DRAM       http://%s/metrics\n",
                 FormatByteSize(options.dram_bytes_per_node).c_str(), http.c_str());
  }
}

void PrintWhatNext(const LocalCluster& cluster) {
  std::fprintf(stderr,
               "\nThe cluster keeps serving; Ctrl-C ends it. Look at it from another terminal:\n"
               "  cairn status --coordinator %s --admin-file %s\n"
               "  cairn replay --coordinators %s --tenant-file %s --trace FILE\n",
               cluster.coordinator().c_str(), cluster.admin_file().c_str(),
               cluster.coordinator().c_str(), cluster.tenant_file().c_str());
}

absl::StatusOr<int> Run(Options& options, const Environment& environment) {
  if (options.replay.worker.trace.empty()) {
    return absl::InvalidArgumentError("trace: none given; add --trace FILE (./dev demo does)");
  }
  SetLog(LogLevel::kWarning, LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                         LocalCluster::Start(options.cluster, *network));
  PrintWhatRuns(*cluster, options.cluster);
  options.replay.worker.coordinators = {cluster->coordinator()};
  options.replay.worker.tenant_file = cluster->tenant_file();
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
  std::fflush(stdout);
  if (!options.once && !termination.Wait(absl::ZeroDuration())) {
    PrintWhatNext(*cluster);
    while (!termination.Wait(absl::InfiniteDuration())) {
    }
  }
  return summary.clean() ? kExitOk : kExitFailure;
}

}  // namespace

void AddDemoCommand(CLI::App& app, const Environment& environment, int* exit_code) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(environment);
  CLI::App* command =
      app.add_subcommand("demo", "Start a small cluster and replay a published trace against it");
  ConfigSchema& schema = flags->schema();
  schema.Add("trace", &options->replay.worker.trace, "Trace file, JSON lines.");
  schema.Add("nodes", &options->cluster.nodes, {1, 16}, "processes", "Node processes.");
  schema.AddBytes("dram_bytes", &options->cluster.dram_bytes_per_node,
                  {uint64_t{64} << 20, uint64_t{1} << 40}, "Cache memory of each node.");
  schema.AddBytes("block_bytes", &options->replay.worker.block_bytes, {4096, uint64_t{64} << 20},
                  "Payload per block of 512 tokens.");
  schema.Add("clients", &options->replay.clients, {1, 64}, "processes", "Client processes.");
  schema.Add("requests_max", &options->replay.requests_max, {0, 1 << 30}, "requests",
             "Stop after so many; 0 replays all.");
  flags->AddFlags(*command);
  command->add_flag("--once", options->once, "End after the replay");
  command->add_flag("--json", options->json, "Print the summary as one JSON object");
  command->footer("Example: cairn demo --once --trace trace.jsonl");
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

}  // namespace cairn
