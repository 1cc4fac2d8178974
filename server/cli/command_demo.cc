#include <algorithm>
#include <cstdio>

#include <absl/strings/str_cat.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/log.h"
#include "base/status.h"
#include "server/cli/block_client_flags.h"
#include "server/cli/commands.h"
#include "server/cli/demo_environment.h"
#include "server/cli/exit_code.h"
#include "server/cli/fault_show.h"
#include "server/cli/figures.h"
#include "server/cli/local_cluster.h"
#include "server/cli/midway_restart.h"
#include "server/cli/replay/simulate.h"
#include "server/cli/replay_run.h"
#include "server/cli/table.h"
#include "server/cli/termination.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr uint64_t kDramShare = 10;  // one part in so many of the trace's blocks, with --nvme
constexpr uint64_t kDramBytesMin = 64u << 20;
constexpr uint64_t kNvmeBytesMin = 1u << 30;
constexpr absl::Duration kWarmRestart = absl::Seconds(30);  // longer than a node takes to return

struct Options {
  LocalClusterOptions cluster;
  ReplayOptions replay;
  bool nvme = false;
  bool faults = false;
  absl::Duration hold = absl::Seconds(5);
  bool once = false;
  bool json = false;
};

// Memory for a part of what the trace stores, drives for all of it, with room for nodes that get
// more than their share. Returns the share of block lookups that the simulator says will hit then.
absl::StatusOr<double> PlanTiers(Options& options) {
  CAIRN_ASSIGN_OR_RETURN(std::vector<TraceRequest> trace, ReadTrace(options.replay.worker.trace));
  if (options.replay.requests_max > 0) {
    trace.resize(std::min(trace.size(), static_cast<size_t>(options.replay.requests_max)));
  }
  const NumberedTrace numbered = NumberBlocks(trace);
  const auto nodes = static_cast<uint64_t>(options.cluster.nodes);
  const uint64_t bytes =
      std::max<uint64_t>(1, numbered.unique) * options.replay.worker.client.block_bytes;
  options.cluster.dram_bytes_per_node = std::max(kDramBytesMin, bytes / nodes / kDramShare);
  options.cluster.nvme_bytes_per_node = std::max(kNvmeBytesMin, 2 * bytes / nodes);
  options.cluster.warm_restart = kWarmRestart;
  SimulateOptions simulate;
  simulate.dram_share =
      std::min(1.0, static_cast<double>(nodes * options.cluster.dram_bytes_per_node) /
                        static_cast<double>(bytes));
  simulate.flash_share = 1;
  CAIRN_ASSIGN_OR_RETURN(const SimulationResult result, Simulate(numbered, simulate));
  return result.block_hit_ratio();
}

void PrintWhatRuns(const LocalCluster& cluster, const LocalClusterOptions& options) {
  Table table("lll");
  const auto metrics = [](const std::string& http) { return "http://" + http + "/metrics"; };
  table.Add({"coordinator", cluster.coordinator(), metrics(cluster.coordinator_http())});
  for (const std::string& http : cluster.node_http()) {
    std::string tiers = FormatMemory(options.dram_bytes_per_node) + " of DRAM";
    if (options.nvme_bytes_per_node > 0) {
      absl::StrAppend(&tiers, ", ", FormatMemory(options.nvme_bytes_per_node), " of NVMe");
    }
    table.Add({"node", tiers, metrics(http)});
  }
  std::fputs(table.ToText().c_str(), stderr);
  std::fprintf(stderr, "dashboard    http://%s/\n", cluster.coordinator_http().c_str());
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

// With a node restarted in its middle, which is told behind the summary.
absl::StatusOr<int> ReplayWithRestart(const Options& options, double simulated_hit_ratio,
                                      LocalCluster& cluster, Termination& termination,
                                      const Environment& environment) {
  MidwayRestart restart(cluster, /*node=*/0);
  CAIRN_ASSIGN_OR_RETURN(
      const ReplaySummary summary,
      ReplayWatched(options.replay, termination, environment,
                    [&restart](const ReplayProgress& progress) { return restart.Step(progress); }));
  if (!options.json) {
    const int code = PrintSummary(summary, /*json=*/false);
    std::printf("simulator      %.2f %% of blocks, for the same tiers and no restart\n",
                100 * simulated_hit_ratio);
    if (restart.done()) std::fputs(restart.ToText().c_str(), stdout);
    return code;
  }
  auto json = nlohmann::ordered_json::parse(summary.ToJson());
  json["simulated_block_hit_ratio"] = simulated_hit_ratio;
  if (restart.done()) json["restart"] = nlohmann::ordered_json::parse(restart.ToJson());
  std::printf("%s\n", json.dump().c_str());
  return summary.clean() ? kExitOk : kExitFailure;
}

absl::StatusOr<int> ReplayPlainly(const Options& options, Termination& termination,
                                  const Environment& environment) {
  CAIRN_ASSIGN_OR_RETURN(const ReplaySummary summary,
                         ReplayWatched(options.replay, termination, environment));
  return PrintSummary(summary, options.json);
}

absl::StatusOr<int> RunFaults(const Options& options, LocalCluster& cluster, Network& network,
                              Termination& termination) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ShownFault> faults,
                         ShowFaults(cluster, network, options.hold, termination));
  std::fputs("\n", stderr);
  std::printf("%s%s", (options.json ? FaultsJson(faults) : FaultsText(faults)).c_str(),
              options.json ? "\n" : "");
  const bool good = std::all_of(faults.begin(), faults.end(),
                                [](const ShownFault& fault) { return fault.good(); });
  return good ? kExitOk : kExitFailure;
}

absl::StatusOr<int> ShowOrReplay(const Options& options, double simulated_hit_ratio,
                                 LocalCluster& cluster, Network& network, Termination& termination,
                                 const Environment& environment) {
  if (options.faults) return RunFaults(options, cluster, network, termination);
  if (!options.nvme) return ReplayPlainly(options, termination, environment);
  return ReplayWithRestart(options, simulated_hit_ratio, cluster, termination, environment);
}

absl::StatusOr<int> Run(Options& options, const Environment& environment) {
  if (options.faults && options.nvme) {
    return absl::InvalidArgumentError(
        "faults: --nvme restarts a node by itself; give one of the two");
  }
  if (options.faults) options.cluster = FaultClusterOptions(options.cluster);
  if (options.replay.worker.trace.empty() && !options.faults) {
    return absl::InvalidArgumentError("trace: none given; add --trace FILE (./dev demo does)");
  }
  double simulated_hit_ratio = 0;
  if (options.nvme) {
    CAIRN_ASSIGN_OR_RETURN(simulated_hit_ratio, PlanTiers(options));
  }
  ForgetUsersCluster(environment);
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
  CAIRN_ASSIGN_OR_RETURN(const int code, ShowOrReplay(options, simulated_hit_ratio, *cluster,
                                                      *network, termination, environment));
  std::fflush(stdout);
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
  schema.Add("hold", &options->hold, {absl::ZeroDuration(), absl::Hours(1)},
             "With --faults: how long one goes on after it was named, to look at the dashboard.");
  flags->AddFlags(*command);
  command->add_flag(
      "--nvme", options->nvme,
      "DRAM for a tenth of the trace's blocks, drives (files in the temporary folder) "
      "for all, and a node that restarts in the middle");
  command->add_flag(
      "--faults", options->faults,
      "Instead of the replay: freeze a node, turn bits in another's memory and fill a "
      "disk, under load; each must be named by the verdict");
  command->add_flag("--once", options->once, "End after the replay");
  command->add_flag("--json", options->json, "Print the summary as one JSON object");
  command->footer(
      "Example: cairn demo --once --trace trace.jsonl\n"
      "         cairn demo --nvme --once --trace trace.jsonl\n"
      "         cairn demo --faults --once");
  command->callback([options, flags] {
    flags->RunWithCode([&] { return Run(*options, flags->environment()); });
  });
}

}  // namespace cairn
