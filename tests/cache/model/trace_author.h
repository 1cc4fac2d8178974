// Writes synthetic request traces, load by load: blocks of 512 tokens, equal numbers for equal
// prefixes.
#ifndef CAIRN_TESTS_CACHE_MODEL_TRACE_AUTHOR_H_
#define CAIRN_TESTS_CACHE_MODEL_TRACE_AUTHOR_H_

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "cache/model/model_block.h"

namespace cairn {

inline constexpr uint32_t kKindTokensPerBlock = 512;

struct SyntheticTrace {
  struct Request {
    int64_t now_ms;
    uint64_t tokens;
    std::vector<ModelBlock> blocks;
  };
  std::vector<Request> requests;  // in order of time
  uint64_t unique = 0;
};

// When, and how often a second, something begins.
struct Span {
  int64_t begin_ms;
  int64_t end_ms;
  double per_second;
};

class TraceAuthor {
 public:
  explicit TraceAuthor(uint64_t seed) : random_(seed) {}

  // Sessions that begin with [4, 20] blocks and grow by [1, 6] a turn.
  void Chats(const Span& span, double returns, double rest_ms);
  // Chains of 5 to 40 steps behind one of 20 prompts of 12 blocks.
  void Agents(const Span& span, double rest_ms);
  // One of `count` heads, the n-th as popular as n^-skew, with a question of its own.
  void Popular(const Span& span, size_t count, double skew, uint64_t blocks_max);
  // Every five minutes 30 documents of [40, 120] blocks, read once.
  void Scans(const Span& span);
  // The same documents of [4, blocks_max] blocks, round and round in one order, a question of its
  // own for each. Returns the blocks of a round.
  uint64_t Rounds(const Span& span, size_t count, uint64_t blocks_max);

  SyntheticTrace Done();

  double Uniform() { return static_cast<double>(random_.Next() >> 11) * 0x1p-53; }
  uint64_t Between(uint64_t low, uint64_t high) { return low + random_.Below(high - low + 1); }

 private:
  using Blocks = std::vector<ModelBlock>;

  double Exponential(double mean);
  Blocks Fresh(uint64_t count);
  std::vector<Blocks> Heads(size_t count, uint64_t low, uint64_t high);
  template <typename Begin>
  void ForEachBegin(const Span& span, Begin begin);
  void Ask(double at_ms, Blocks prefix, uint64_t own_blocks);

  SeededRandom random_;
  ModelBlock next_ = 0;
  SyntheticTrace trace_;
};

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_MODEL_TRACE_AUTHOR_H_
