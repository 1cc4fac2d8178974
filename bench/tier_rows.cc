// What one tier costs the other.
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/rig.h"
#include "bench/rows.h"
#include "cairn/v1/coordinator.pb.h"
#include "server/cli/control_call.h"

namespace cairn::bench {
namespace {

constexpr uint32_t kBlockBytes = 256u << 10;
constexpr uint64_t kDramBytes = 512u << 20;
constexpr uint64_t kNvmeBytes = uint64_t{4} << 30;
constexpr size_t kHotBlocks = 64;  // read so often that they stay in DRAM
constexpr size_t kGets = 1500;

// All of DRAM is full, so that each put makes the node drop a block, or write it to NVMe.
absl::StatusOr<std::unique_ptr<Rig>> StartFull(uint64_t nvme_bytes, uint64_t* next) {
  RigOptions options;
  options.block_bytes = kBlockBytes;
  options.blocks = 2 * kHotBlocks;
  options.dram_bytes = kDramBytes;
  options.nvme_bytes = nvme_bytes;
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, kHotBlocks, 16, 4).status());
  *next = kHotBlocks;
  const uint64_t full = 2 * kDramBytes / kBlockBytes;
  while (*next < full) CAIRN_RETURN_IF_ERROR(rig->GetTailUnderPuts(100, kHotBlocks, next).status());
  return rig;
}

absl::StatusOr<uint64_t> NvmeWrittenBytes(Rig& rig) {
  v1::GetStatusRequest request;
  request.set_admin_credential(rig.cluster().admin_credential());
  CAIRN_ASSIGN_OR_RETURN(const auto status, ControlCall<v1::GetStatusReply>(
                                                rig.network(), rig.cluster().coordinator(),
                                                "/cairn.v1.Coordinator/GetStatus", request));
  return status.nodes(0).nvme().written_bytes();
}

absl::StatusOr<Row> RunTail(size_t rounds) {
  Row row{.name = "dram_p99_under_nvme_writes", .unit = "us", .better = Better::kLower, .bar = 2};
  uint64_t next_with = 0;
  uint64_t next_without = 0;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> with, StartFull(kNvmeBytes, &next_with));
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> without, StartFull(0, &next_without));
  CAIRN_RETURN_IF_ERROR(Interleave(
      rounds, [&] { return with->GetTailUnderPuts(kGets, kHotBlocks, &next_with); },
      [&] { return without->GetTailUnderPuts(kGets, kHotBlocks, &next_without); }, row));
  CAIRN_ASSIGN_OR_RETURN(const uint64_t written, NvmeWrittenBytes(*with));
  if (written < kDramBytes) return absl::InternalError("the node wrote nothing to NVMe");
  return row;
}

}  // namespace

std::vector<RowPlan> TierRows() { return {{"dram_p99_under_nvme_writes", RunTail}}; }

}  // namespace cairn::bench
