// What the NVMe tier brings under a write budget, on the conversation trace.
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "bench/rows.h"
#include "server/cli/replay/simulate.h"
#include "server/cli/replay/trace.h"

namespace cairn::bench {
namespace {

// From the repository's root, not a part of it.
constexpr char kTrace[] = "../shared/traces/mooncake_conversation.jsonl";
constexpr double kDramShare = 0.03;  // of the trace's unique blocks
constexpr double kFlashShare = 1;
constexpr double kWritesPerReference = 0.53;

absl::StatusOr<Row> RunAdmission(size_t) {
  Row row{.name = "flash_admission",
          .unit = "% token hits",
          .better = Better::kHigher,
          .bar = 34.6,
          .baselines = {0}};
  CAIRN_ASSIGN_OR_RETURN(const std::vector<TraceRequest> trace, ReadTrace(kTrace));
  CAIRN_ASSIGN_OR_RETURN(const SimulationResult result,
                         Simulate(NumberBlocks(trace), {PolicyKind::kLearned, kDramShare,
                                                        kFlashShare, kWritesPerReference}));
  if (result.flash_writes_per_reference() > kWritesPerReference) {
    return absl::InternalError(absl::StrCat(result.flash_writes_per_reference(),
                                            " writes per reference: above the budget of ",
                                            kWritesPerReference));
  }
  row.values = {100 * result.token_hit_ratio()};
  return row;
}

}  // namespace

std::vector<RowPlan> AdmissionRows() { return {{"flash_admission", RunAdmission}}; }

}  // namespace cairn::bench
