// Allocations of the client library on the hit path.
#include <memory>

#include "base/allocation_count.h"
#include "base/status.h"
#include "bench/rig.h"
#include "bench/rows.h"

namespace cairn::bench {
namespace {

absl::StatusOr<Row> RunAllocations(size_t rounds) {
  constexpr size_t kBlocks = 4096;
  Row row{.name = "client_allocations",
          .unit = "per block",
          .better = Better::kLower,
          .bar = 0,
          .baselines = {0}};
  RigOptions options;
  options.block_bytes = 64u << 10;
  options.blocks = 256;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, options.blocks, 16, 4).status());
  CAIRN_RETURN_IF_ERROR(rig->Get(kBlocks, 16, 4).status());
  for (size_t i = 0; i < rounds; ++i) {
    absl::StatusOr<double> speed = 0;
    const size_t allocations = AllocationsOf([&] { speed = rig->Get(kBlocks, 16, 4); });
    CAIRN_RETURN_IF_ERROR(speed.status());
    row.values.push_back(static_cast<double>(allocations) / kBlocks);
  }
  return row;
}

}  // namespace

std::vector<RowPlan> AllocationRows() { return {{"client_allocations", RunAllocations}}; }

}  // namespace cairn::bench
