#include "tests/sim/simulation.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include <absl/strings/str_cat.h>

#include "tests/sim/cluster.h"
#include "tests/sim/nemesis.h"

namespace cairn::sim {
namespace {

constexpr absl::Duration kFaults = absl::Seconds(4);
constexpr absl::Duration kCheckInterval = absl::Milliseconds(500);
// Backoffs (2 s), breakers (1 s), heartbeats (3 s) and snapshots must all have come around.
constexpr absl::Duration kRecovery = absl::Seconds(20);
// The longest lease is 10 s, a silent session ends after 3 s, a put's reservation after 1.8 s.
constexpr absl::Duration kRest = absl::Seconds(15);

struct Plan {
  ClusterOptions cluster;
  NemesisOptions nemesis;
  std::string text;
};

Plan MakePlan(uint64_t seed) {
  static constexpr uint32_t kBlockBytes[] = {4096, 16384, 65536};
  SeededRandom random(seed);
  Plan plan;
  plan.cluster.coordinators = 1 + random.Below(3);
  plan.cluster.reactors = static_cast<uint32_t>(1 + random.Below(2));
  plan.cluster.block_bytes = kBlockBytes[random.Below(std::size(kBlockBytes))];
  plan.cluster.chain_blocks_max = plan.cluster.block_bytes > 20'000 ? 12 : 40;
  plan.nemesis.dishonest_network = random.Below(4) == 0;
  plan.nemesis.arena_rots = random.Below(4) == 0;
  plan.nemesis.drives_fail = random.Below(2) == 0;
  if (plan.nemesis.drives_fail) {
    plan.cluster.capacity_bytes = 16u << 20;
    plan.cluster.nvme_bytes = (4 + random.Below(40)) * (1u << 20) + (1u << 20);
  }
  plan.nemesis.seed = random.Next();
  plan.cluster.honest_network = !plan.nemesis.dishonest_network;
  plan.cluster.arena_rots = plan.nemesis.arena_rots;
  plan.cluster.world.seed = random.Next();
  plan.cluster.world.check_sources = !plan.nemesis.arena_rots;
  plan.cluster.world.timings.stall_timeout = absl::Seconds(2 + random.Below(30));
  plan.text = absl::StrCat(plan.cluster.coordinators, " coordinators, ", plan.cluster.reactors,
                           " reactors, blocks of ", plan.cluster.block_bytes, " bytes",
                           plan.nemesis.dishonest_network ? ", dishonest network" : "",
                           plan.nemesis.arena_rots ? ", rotting memory" : "",
                           plan.nemesis.drives_fail ? ", failing drives" : "");
  return plan;
}

// Time goes on in small steps, each followed by the checks that hold at any moment.
void RunChecked(Cluster& cluster, absl::Duration duration) {
  const Instant end = cluster.scheduler().Now() + duration;
  while (cluster.scheduler().Now() < end && cluster.verdict().ok()) {
    cluster.scheduler().RunUntil(std::min(end, cluster.scheduler().Now() + kCheckInterval));
    cluster.Check();
  }
}

void Recover(Cluster& cluster) {
  for (auto& engine : cluster.engines()) engine->BeginProbe();
  const Instant end = cluster.scheduler().Now() + kRecovery;
  const auto probed = [](const auto& engine) { return engine->probed(); };
  while (cluster.scheduler().Now() < end && cluster.verdict().ok() &&
         !std::all_of(cluster.engines().begin(), cluster.engines().end(), probed)) {
    RunChecked(cluster, kCheckInterval);
  }
  for (auto& engine : cluster.engines()) {
    if (engine->probed()) continue;
    cluster.verdict().Fail(absl::StrCat(engine->host().ip(), " cannot store and read a chain ",
                                        absl::FormatDuration(kRecovery), " after the last fault"));
  }
}

void Rest(Cluster& cluster) {
  for (auto& engine : cluster.engines()) engine->Shutdown();
  RunChecked(cluster, kRest);
  if (cluster.verdict().ok()) cluster.CheckIdle();
}

}  // namespace

RunResult RunSeed(uint64_t seed, bool trace) {
  const Plan plan = MakePlan(seed);
  Cluster cluster(plan.cluster);
  SimTrace& events = cluster.scheduler().trace();
  if (trace) events.set_sink([](const std::string& line) { std::puts(line.c_str()); });
  Nemesis nemesis(cluster, plan.nemesis);
  nemesis.Begin();
  RunChecked(cluster, kFaults);
  nemesis.EndAndMend();
  if (cluster.verdict().ok()) Recover(cluster);
  if (cluster.verdict().ok()) Rest(cluster);
  return {.failures = cluster.verdict().failures(),
          .tally = cluster.verdict().tally,
          .trace_hash = events.hash(),
          .trace_events = events.count(),
          .world = plan.text};
}

}  // namespace cairn::sim
