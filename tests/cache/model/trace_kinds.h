// Synthetic request traces of different kinds, by seed.
#ifndef CAIRN_TESTS_CACHE_MODEL_TRACE_KINDS_H_
#define CAIRN_TESTS_CACHE_MODEL_TRACE_KINDS_H_

#include <cstdint>
#include <string>

#include "cache/model/simulation.h"
#include "tests/cache/model/trace_author.h"

namespace cairn {

enum class TraceKind {
  kChats,          // sessions of a few turns with minutes between them
  kAgents,         // long chains that grow step by step behind shared prompts; 85 to 97 % reuse
  kScans,          // popular prompts, and now and then a batch of long documents read once
  kDocuments,      // shared documents of different popularity, each with questions of its own
  kShiftingLoad,   // agents, then chats and scans
  kShiftingHeads,  // popular prompts that are others after half of the time
};
inline constexpr TraceKind kTraceKinds[] = {TraceKind::kChats,        TraceKind::kAgents,
                                            TraceKind::kScans,        TraceKind::kDocuments,
                                            TraceKind::kShiftingLoad, TraceKind::kShiftingHeads};
std::string NameOf(TraceKind kind);

// About an hour; 50,000 to 300,000 references.
SyntheticTrace MakeTrace(TraceKind kind, uint64_t seed);

// Token hits in percent with memory for this share of the unique blocks.
double TokenHits(const SyntheticTrace& trace, PolicyKind policy, double dram_share);
double TokenHitsWith(const SyntheticTrace& trace, PolicyKind policy, uint64_t dram_blocks);

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_MODEL_TRACE_KINDS_H_
