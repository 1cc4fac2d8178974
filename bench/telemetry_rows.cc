// What it costs to record how long gets take, in node and client together.
#include <algorithm>
#include <memory>

#include "base/status.h"
#include "bench/rig.h"
#include "bench/rows.h"

namespace cairn::bench {
namespace {

constexpr uint32_t kBlockBytes = 64u << 10;
constexpr size_t kSlice = 256;  // blocks: short enough that some slices meet no disturbance
constexpr size_t kSlices = 256;
constexpr size_t kBatch = 16;
constexpr size_t kDepth = 4;

absl::StatusOr<std::unique_ptr<Rig>> StartRig(bool telemetry) {
  RigOptions options;
  options.block_bytes = kBlockBytes;
  options.blocks = 256;
  options.telemetry = telemetry;
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, options.blocks, kBatch, kDepth).status());
  return rig;
}

// The best slices of both, taken in turns, as the rest of the machine disturbs both alike.
absl::Status MeasureRound(Rig& recording, Rig& silent, Row& row) {
  double with = 0;
  double without = 0;
  for (size_t i = 0; i < kSlices; ++i) {
    CAIRN_ASSIGN_OR_RETURN(const double recorded, recording.Get(kSlice, kBatch, kDepth));
    CAIRN_ASSIGN_OR_RETURN(const double unrecorded, silent.Get(kSlice, kBatch, kDepth));
    with = std::max(with, recorded);
    without = std::max(without, unrecorded);
  }
  row.values.push_back(with);
  row.baselines.push_back(without);
  return absl::OkStatus();
}

absl::StatusOr<Row> RunTelemetryCost(size_t rounds) {
  Row row{.name = "telemetry_cost", .unit = "GB/s", .better = Better::kHigher, .bar = 0.98};
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> recording, StartRig(true));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> silent, StartRig(false));
  for (size_t i = 0; i < rounds; ++i) {
    CAIRN_RETURN_IF_ERROR(MeasureRound(*recording, *silent, row));
  }
  return row;
}

}  // namespace

std::vector<RowPlan> TelemetryRows() { return {{"telemetry_cost", RunTelemetryCost}}; }

}  // namespace cairn::bench
