// The NVMe tier beside fio on the same file system, and how fast a log is known again.
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/disk_rig.h"
#include "bench/rows.h"

namespace cairn::bench {
namespace {

constexpr uint32_t kMiB = 1u << 20;
constexpr uint64_t kSegments = 24;
constexpr uint64_t kFileBytes = kSegments * (64u << 20);
constexpr uint64_t kRoundBytes = 1u << 30;
constexpr size_t kDepth = 8;
constexpr double kGiga = 1e9;

// Both files are written once before anything is measured: a file system's first write of a block
// is another matter than those after it.
struct Pair {
  BenchFile log_file{"bench_log"};
  BenchFile fio_file{"bench_fio"};
  std::unique_ptr<DiskRig> rig;
};

absl::Status Prepare(Pair& pair) {
  CAIRN_ASSIGN_OR_RETURN(pair.rig, DiskRig::Start({pair.log_file.path(), kSegments}));
  CAIRN_RETURN_IF_ERROR(pair.rig->Write(kFileBytes / kMiB, kMiB).status());
  return RunFio(pair.fio_file.path(), "write", kFileBytes, kFileBytes, kDepth).status();
}

absl::StatusOr<double> InGiga(const absl::StatusOr<double>& bytes_per_second) {
  if (!bytes_per_second.ok()) return bytes_per_second.status();
  return *bytes_per_second / kGiga;
}

absl::StatusOr<Row> RunRead(size_t rounds) {
  Row row{.name = "nvme_read_1m", .unit = "GB/s", .better = Better::kHigher, .bar = 0.9};
  Pair pair;
  CAIRN_RETURN_IF_ERROR(Prepare(pair));
  CAIRN_RETURN_IF_ERROR(Interleave(
      rounds, [&] { return InGiga(pair.rig->Read(kRoundBytes / kMiB, kDepth)); },
      [&] {
        return InGiga(RunFio(pair.fio_file.path(), "randread", kFileBytes, kRoundBytes, kDepth));
      },
      row));
  return row;
}

absl::StatusOr<Row> RunWrite(size_t rounds) {
  Row row{.name = "nvme_write", .unit = "GB/s", .better = Better::kHigher, .bar = 0.85};
  Pair pair;
  CAIRN_RETURN_IF_ERROR(Prepare(pair));
  CAIRN_RETURN_IF_ERROR(Interleave(
      rounds, [&] { return InGiga(pair.rig->Write(kRoundBytes / kMiB, kMiB)); },
      [&] {
        return InGiga(RunFio(pair.fio_file.path(), "write", kFileBytes, kRoundBytes, kDepth));
      },
      row));
  return row;
}

// Millions of records per second, of a log of 100 GB whose payloads are holes.
absl::StatusOr<Row> RunRecovery(size_t rounds) {
  constexpr uint64_t kManySegments = 1500;
  Row row{
      .name = "log_recovery", .unit = "M/s", .better = Better::kHigher, .bar = 1, .baselines = {5}};
  const BenchFile file("bench_footers");
  const DiskRig::Options options{file.path(), kManySegments, /*preallocate=*/false};
  {
    CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<DiskRig> rig, DiskRig::Start(options));
    CAIRN_RETURN_IF_ERROR(rig->WriteFooters());
  }
  for (size_t round = 0; round < rounds; ++round) {
    CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<DiskRig> rig, DiskRig::Start(options));
    if (rig->recovered() < kManySegments * 15'000)
      return absl::DataLossError("records are missing");
    row.values.push_back(static_cast<double>(rig->recovered()) / rig->recovery_seconds() / 1e6);
  }
  return row;
}

}  // namespace

std::vector<RowPlan> DiskRows() {
  return {{"nvme_read_1m", RunRead}, {"nvme_write", RunWrite}, {"log_recovery", RunRecovery}};
}

}  // namespace cairn::bench
