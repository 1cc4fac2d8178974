// Random mixes of loads, by seed: one to three of the kinds that engines bring, each with rates,
// lengths and rests of its own, and memory from a few hundred blocks up.
#ifndef CAIRN_TESTS_CACHE_MODEL_TRACE_MIXES_H_
#define CAIRN_TESTS_CACHE_MODEL_TRACE_MIXES_H_

#include <cstdint>
#include <string>

#include "tests/cache/model/trace_author.h"

namespace cairn {

struct TraceMix {
  std::string name;  // its loads
  SyntheticTrace trace;
  uint64_t dram_blocks = 0;  // 0.5 to 40 % of the unique blocks, 200 at least
};

TraceMix MakeMix(uint64_t seed);
// Documents read round and round alone, with memory for this share of a round.
TraceMix MakeRounds(uint64_t seed, double dram_share);

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_MODEL_TRACE_MIXES_H_
