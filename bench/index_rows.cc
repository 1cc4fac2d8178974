// The node's index: lookups per core, and memory per block.
#include <fstream>
#include <memory>
#include <string>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "bench/rig.h"
#include "bench/rows.h"
#include "cache/shard.h"

namespace cairn::bench {
namespace {

constexpr size_t kMillion = 1'000'000;
constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kArenaBytes = uint64_t{5} << 30;

absl::StatusOr<Row> RunLookup(size_t rounds) {
  constexpr size_t kBatch = 64;
  Row row{.name = "index_lookup",
          .unit = "M/s",
          .better = Better::kHigher,
          .bar = 1,
          .baselines = {10}};
  ShardOptions options;
  options.capacity_bytes = kArenaBytes;
  options.huge_pages = false;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Shard> shard, Shard::Create(options, RealClock()));
  CAIRN_ASSIGN_OR_RETURN(const ScopeId scope, shard->InternScope(1, NamespaceId{}));
  SeededRandom random(1);
  std::vector<BlockKey> keys(kMillion);
  for (BlockKey& key : keys) {
    random.Fill(absl::MakeSpan(key.bytes));
    const Reserved reserved = shard->Reserve({scope, key, {}, 0, kBlockBytes, {}});
    if (reserved.outcome != ReserveOutcome::kReserved) return absl::InternalError("not reserved");
    if (shard->Seal(reserved.block) != SealOutcome::kSealed) return absl::InternalError("no seal");
  }
  for (size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.Below(i)]);
  std::vector<BlockRef> found(kBatch);
  for (size_t round = 0; round < rounds; ++round) {
    const Instant begun = RealClock().Now();
    size_t hits = 0;
    for (size_t i = 0; i + kBatch <= keys.size(); i += kBatch) {
      shard->LookupBatch(scope, {&keys[i], kBatch}, absl::MakeSpan(found));
      for (const BlockRef block : found) hits += block != BlockRef::kNone;
    }
    const double seconds = absl::ToDoubleSeconds(RealClock().Now() - begun);
    if (hits != keys.size() / kBatch * kBatch) return absl::InternalError("a key was not found");
    row.values.push_back(static_cast<double>(hits) / seconds / 1e6);
  }
  return row;
}

// Resident memory of the process without the arena's mapping, in MiB.
absl::StatusOr<double> ResidentBeyondArena(pid_t pid) {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/smaps"));
  if (!maps) return absl::InternalError("cannot read smaps of the node");
  std::string line;
  bool arena = false;
  double kib = 0;
  while (std::getline(maps, line)) {
    const size_t colon = line.find(':');
    const bool heading = colon == std::string::npos || line.find('-') < colon;
    if (heading) arena = absl::StrContains(line, "memfd:");
    if (!arena && absl::StartsWith(line, "Rss:")) kib += std::stod(line.substr(4));
  }
  return kib / 1024;
}

absl::StatusOr<Row> RunMemory(size_t rounds) {
  Row row{.name = "index_memory",
          .unit = "MiB",
          .better = Better::kLower,
          .bar = 1,
          .baselines = {128}};
  RigOptions options;
  options.block_bytes = kBlockBytes;
  options.blocks = 4096;
  options.dram_bytes = kArenaBytes;
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig, Rig::Start(options));
  CAIRN_RETURN_IF_ERROR(rig->Put(0, kMillion, 64, 4).status());
  for (size_t i = 0; i < rounds; ++i) {
    CAIRN_ASSIGN_OR_RETURN(const double resident, ResidentBeyondArena(rig->node_pid()));
    row.values.push_back(resident);
  }
  return row;
}

}  // namespace

std::vector<RowPlan> IndexRows() {
  return {{"index_lookup", RunLookup}, {"index_memory", RunMemory}};
}

}  // namespace cairn::bench
