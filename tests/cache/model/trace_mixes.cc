#include "tests/cache/model/trace_mixes.h"

#include <algorithm>
#include <cmath>

namespace cairn {
namespace {

constexpr int64_t kHour_ms = 3'600'000;
constexpr uint64_t kDramBlocksMin = 200;
constexpr uint64_t kLoads = 5;

// Log-uniform.
double Around(TraceAuthor& author, double low, double high) {
  return low * std::pow(high / low, author.Uniform());
}

// Half of them all the time, the others for a part of it.
Span RandomSpan(TraceAuthor& author, double low, double high) {
  Span span{0, kHour_ms, Around(author, low, high)};
  if (author.Uniform() < 0.5) return span;
  const auto half_ms = static_cast<uint64_t>(kHour_ms / 2);
  span.begin_ms = static_cast<int64_t>(author.Between(0, half_ms));
  span.end_ms = span.begin_ms + kHour_ms / 2;
  return span;
}

// Returns the blocks of a round, or 0.
uint64_t AddLoad(TraceAuthor& author, TraceMix& mix) {
  if (!mix.name.empty()) mix.name += "+";
  switch (author.Between(0, kLoads - 1)) {
    case 0:
      mix.name += "chats";
      author.Chats(RandomSpan(author, 0.1, 0.8), 0.4 + 0.5 * author.Uniform(),
                   Around(author, 20'000, 400'000));
      return 0;
    case 1:
      mix.name += "agents";
      author.Agents(RandomSpan(author, 0.01, 0.1), Around(author, 5'000, 60'000));
      return 0;
    case 2: {
      mix.name += "popular";
      const size_t count = author.Between(50, 1500);
      author.Popular(RandomSpan(author, 0.3, 3), count, 0.4 + 0.9 * author.Uniform(),
                     author.Between(10, 100));
      return 0;
    }
    case 3:
      mix.name += "scans";
      author.Scans(RandomSpan(author, 1, 1));
      return 0;
    default: {
      mix.name += "rounds";
      const size_t count = author.Between(20, 400);
      return author.Rounds(RandomSpan(author, 0.3, 2), count, author.Between(10, 80));
    }
  }
}

}  // namespace

TraceMix MakeMix(uint64_t seed) {
  TraceAuthor author(1000 + seed);
  TraceMix mix;
  uint64_t round_blocks = 0;
  for (uint64_t loads = author.Between(1, 3); loads > 0; --loads) {
    round_blocks = std::max(round_blocks, AddLoad(author, mix));
  }
  const double share = Around(author, 0.005, 0.4);
  const double part_of_round = 0.4 + 0.7 * author.Uniform();
  const bool by_round = round_blocks > 0 && author.Uniform() < 0.5;
  mix.trace = author.Done();
  mix.dram_blocks =
      static_cast<uint64_t>(by_round ? part_of_round * static_cast<double>(round_blocks)
                                     : share * static_cast<double>(mix.trace.unique));
  mix.dram_blocks = std::max(mix.dram_blocks, kDramBlocksMin);
  return mix;
}

TraceMix MakeRounds(uint64_t seed, double dram_share) {
  TraceAuthor author(seed);
  TraceMix mix;
  mix.name = "rounds";
  const uint64_t round_blocks = author.Rounds({0, kHour_ms, 1}, 200, 40);
  mix.dram_blocks = static_cast<uint64_t>(dram_share * static_cast<double>(round_blocks));
  mix.trace = author.Done();
  return mix;
}

}  // namespace cairn
