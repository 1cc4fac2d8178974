#include "tests/cache/model/trace_kinds.h"

#include "base/check.h"
#include "tests/cache/model/trace_author.h"

namespace cairn {
namespace {

constexpr int64_t kHour_ms = 3'600'000;

}  // namespace

std::string NameOf(TraceKind kind) {
  switch (kind) {
    case TraceKind::kChats:
      return "Chats";
    case TraceKind::kAgents:
      return "Agents";
    case TraceKind::kScans:
      return "Scans";
    case TraceKind::kDocuments:
      return "Documents";
    case TraceKind::kShiftingLoad:
      return "ShiftingLoad";
    case TraceKind::kShiftingHeads:
      return "ShiftingHeads";
  }
  CAIRN_CHECK(false);
}

SyntheticTrace MakeTrace(TraceKind kind, uint64_t seed) {
  TraceAuthor author(seed * 100 + static_cast<uint64_t>(kind));
  constexpr int64_t kHalf_ms = kHour_ms / 2;
  switch (kind) {
    case TraceKind::kChats:
      author.Chats({0, kHour_ms, 0.6}, 0.7, 180'000);
      author.Chats({0, kHour_ms, 0.2}, 0.85, 40'000);
      break;
    case TraceKind::kAgents:
      author.Agents({0, kHour_ms, 0.08}, 20'000);
      break;
    case TraceKind::kScans:
      author.Popular({0, kHour_ms, 2}, 700, 0.9, 40);
      author.Scans({0, kHour_ms, 0});
      break;
    case TraceKind::kDocuments:
      author.Popular({0, kHour_ms, 1}, 300, 0.7, 100);
      author.Popular({0, kHour_ms, 1}, 1000, 1.1, 30);
      break;
    case TraceKind::kShiftingLoad:
      author.Agents({0, kHalf_ms, 0.08}, 20'000);
      author.Chats({kHalf_ms, kHour_ms, 0.5}, 0.8, 60'000);
      author.Scans({kHalf_ms, kHour_ms, 0});
      break;
    case TraceKind::kShiftingHeads:
      author.Popular({0, kHalf_ms, 3}, 500, 0.8, 40);
      author.Popular({kHalf_ms, kHour_ms, 3}, 500, 0.8, 40);
      break;
  }
  return author.Done();
}

double TokenHits(const SyntheticTrace& trace, PolicyKind policy, double dram_share) {
  return TokenHitsWith(trace, policy,
                       static_cast<uint64_t>(dram_share * static_cast<double>(trace.unique)));
}

double TokenHitsWith(const SyntheticTrace& trace, PolicyKind policy, uint64_t dram_blocks) {
  SimulationOptions options;
  options.policy = policy;
  options.dram_blocks = dram_blocks;
  options.blocks_max = trace.unique;
  options.tokens_per_block = kKindTokensPerBlock;
  const auto simulation = Simulation::Create(options).value();
  for (const SyntheticTrace::Request& request : trace.requests) {
    simulation->Take({request.now_ms, request.tokens, request.blocks});
  }
  return 100 * simulation->result().token_hit_ratio();
}

}  // namespace cairn
