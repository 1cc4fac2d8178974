#include <CLI/CLI.hpp>

#include <cstdio>

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "server/cli/block_client_flags.h"
#include "server/cli/commands.h"
#include "server/cli/local_cluster.h"
#include "server/cli/replay_run.h"
#include "server/cli/table.h"
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
  Table table("lll");
  const auto metrics = [](const std::string& http) { return "http://" + http + "/metrics"; };
  table.Add({"coordinator", cluster.coordinator(), metrics(cluster.coordinator_http())});
  for (const std::string& http : cluster.node_http()) {
    table.Add({"node", FormatByteSize(options.dram_bytes_per_node) + " of DRAM", metrics(http)});
  }
  std::fputs(table.ToText().c_str(), stderr);
}

void PrintWhatNext(const LocalCluster& cluster) {
  std::fprintf(
      stderr,
      "\nThe cluster keeps serving; Ctrl-C ends it. From another terminal, watch and load it:\n"
      "  cairn top --coordinator %s --admin-file %s\n"
      "  cairn bench --coordinator %s --tenant-file %s\n",
      cluster.coordinator().c_str(), cluster.admin_file().c_str(), cluster.coordinator().c_str(),
      cluster.tenant_file().c_str());
}

absl::StatusOr<int> Run(Options& options, const Environment& environment) {
  if (options.replay.worker.trace.empty()) {
    return absl::InvalidArgumentError("trace: none given; add --trace FILE (./dev demo does)");
  }
  SetLog(LogLevel::kWarning, LogFormat::kKeyValue);
  CAIRN_ASSIGN_OR_RETURN(Termination termination, Termination::Create());
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, CreateRealNetwork({}));
  std::fprintf(stderr, "starting a coordinator and %d nodes ...\n",
               static_cast<int>(options.cluster.nodes));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                         LocalCluster::Start(options.cluster, *network));
  PrintWhatRuns(*cluster, options.cluster);
  options.replay.worker.client.coordinators = {cluster->coordinator()};
  options.replay.worker.client.tenant_file = cluster->tenant_file();
  CAIRN_ASSIGN_OR_RETURN(const int code,
                         ReplayWatched(options.replay, options.json, termination, environment));
  if (!options.once && !termination.Wait(absl::ZeroDuration())) {
    PrintWhatNext(*cluster);
    while (!termination.Wait(absl::InfiniteDuration())) {
    }
  }
  return code;
}

}  // namespace

void AddDemoCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<CommandOptions>(context);
  CLI::App* command =
      app.add_subcommand("demo", "Start a small cluster and replay a published trace against it");
  ConfigSchema& schema = flags->schema();
  schema.Add("trace", &options->replay.worker.trace, "Trace file, JSON lines.");
  schema.Add("nodes", &options->cluster.nodes, {1, 16}, "processes", "Node processes.");
  schema.AddBytes("dram_bytes", &options->cluster.dram_bytes_per_node,
                  {uint64_t{64} << 20, uint64_t{1} << 40}, "Cache memory of each node.");
  BindBlockBytes(options->replay.worker.client, "Payload per block of 512 tokens.", schema);
  schema.Add("clients", &options->replay.clients, {1, 64}, "processes", "Client processes.");
  schema.Add("requests_max", &options->replay.requests_max, {0, 1 << 30}, "requests",
             "Stop after so many; 0 replays all.");
  flags->AddFlags(*command);
  command->add_flag("--once", options->once, "End after the replay");
  command->add_flag("--json", options->json, "Print the summary as one JSON object");
  command->footer("Example: cairn demo --once --trace trace.jsonl");
  command->callback([options, flags] {
    flags->RunWithCode([&] { return Run(*options, flags->environment()); });
  });
}

}  // namespace cairn
