// Eviction, and admission to NVMe, on the published conversation trace. Only where the whole trace
// is at hand: of the slice that the repository carries all policies make the same.
#include <string>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/status.h"
#include "bench/rows.h"
#include "server/cli/replay/simulate.h"

namespace cairn::bench {
namespace {

constexpr char kTrace[] = "../shared/traces/mooncake_conversation.jsonl";

absl::StatusOr<NumberedTrace> ReadWholeTrace() {
  const auto trace = ReadTrace(kTrace);
  if (!trace.ok()) return absl::NotFoundError(absl::StrCat("skipped, for there is no ", kTrace));
  return NumberBlocks(*trace);
}

// Token hits in percent, from a cold start.
absl::StatusOr<Row> RunHits(const std::string& name, double dram_share, double bar) {
  CAIRN_ASSIGN_OR_RETURN(const NumberedTrace trace, ReadWholeTrace());
  CAIRN_ASSIGN_OR_RETURN(const SimulationResult result,
                         Simulate(trace, {PolicyKind::kLearned, dram_share}));
  return Row{.name = name,
             .unit = "%",
             .better = Better::kHigher,
             .bar = bar,
             .values = {100 * result.token_hit_ratio()},
             .baselines = {0}};
}

// Memory for 3 % of the blocks, NVMe for all, and a budget for what is written there.
absl::StatusOr<Row> RunAdmission() {
  constexpr double kWritesPerReference = 0.53;
  CAIRN_ASSIGN_OR_RETURN(const NumberedTrace trace, ReadWholeTrace());
  CAIRN_ASSIGN_OR_RETURN(const SimulationResult result,
                         Simulate(trace, {PolicyKind::kLearned, /*dram_share=*/0.03,
                                          /*flash_share=*/1, kWritesPerReference}));
  if (result.flash_writes_per_reference() > kWritesPerReference) {
    return absl::InternalError(absl::StrCat(result.flash_writes_per_reference(),
                                            " writes per reference: above the budget of ",
                                            kWritesPerReference));
  }
  return Row{.name = "flash_admission",
             .unit = "% token hits",
             .better = Better::kHigher,
             .bar = 34.6,
             .values = {100 * result.token_hit_ratio()},
             .baselines = {0}};
}

absl::StatusOr<Row> RunSpeed(size_t rounds) {
  Row row{
      .name = "policy_speed", .unit = "M/s", .better = Better::kHigher, .bar = 1, .baselines = {0}};
  CAIRN_ASSIGN_OR_RETURN(const NumberedTrace trace, ReadWholeTrace());
  for (size_t round = 0; round < rounds; ++round) {
    const Instant begun = RealClock().Now();
    CAIRN_ASSIGN_OR_RETURN(const SimulationResult result,
                           Simulate(trace, {PolicyKind::kLearned, 0.1}));
    const double seconds = absl::ToDoubleSeconds(RealClock().Now() - begun);
    row.values.push_back(static_cast<double>(result.references) / seconds / 1e6);
  }
  return row;
}

}  // namespace

std::vector<RowPlan> PolicyRows() {
  return {{"policy_3", [](size_t) { return RunHits("policy_3", 0.03, 17.0); }},
          {"policy_10", [](size_t) { return RunHits("policy_10", 0.1, 29.0); }},
          {"policy_30", [](size_t) { return RunHits("policy_30", 0.3, 36.3); }},
          {"policy_speed", RunSpeed},
          {"flash_admission", [](size_t) { return RunAdmission(); }}};
}

}  // namespace cairn::bench
