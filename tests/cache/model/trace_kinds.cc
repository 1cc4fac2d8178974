#include "tests/cache/model/trace_kinds.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/random.h"

namespace cairn {
namespace {

constexpr int64_t kHour_ms = 3'600'000;

using Blocks = std::vector<ModelBlock>;

// When, and how often a second, something begins.
struct Span {
  int64_t begin_ms;
  int64_t end_ms;
  double per_second;
};

class Author {
 public:
  explicit Author(uint64_t seed) : random_(seed) {}

  // Sessions that begin with [4, 20] blocks and grow by [1, 6] a turn.
  void Chats(const Span& span, double returns, double rest_ms) {
    ForEachBegin(span, [&](double at_ms) {
      Blocks prefix = Fresh(Between(4, 20));
      while (at_ms < static_cast<double>(span.end_ms)) {
        Ask(at_ms, prefix, 1);
        if (Uniform() > returns) return;
        Append(prefix, Fresh(Between(1, 6)));
        at_ms += Exponential(rest_ms);
      }
    });
  }
  // Chains of 5 to 40 steps behind one of 20 prompts of 12 blocks.
  void Agents(const Span& span, double rest_ms) {
    const std::vector<Blocks> prompts = Heads(20, 12, 12);
    ForEachBegin(span, [&](double at_ms) {
      Blocks prefix = prompts[random_.Below(prompts.size())];
      Append(prefix, Fresh(Between(2, 10)));
      for (uint64_t steps = Between(5, 40); steps > 0; --steps) {
        if (at_ms >= static_cast<double>(span.end_ms)) return;
        Ask(at_ms, prefix, 1);
        Append(prefix, Fresh(Between(0, 3)));
        at_ms += 2000 + Exponential(rest_ms);
      }
    });
  }
  // One of `count` heads, the n-th as popular as n^-skew, with a question of its own.
  void Popular(const Span& span, size_t count, double skew, uint64_t blocks_max) {
    const std::vector<Blocks> heads = Heads(count, 4, blocks_max);
    std::vector<double> sums;
    sums.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      sums.push_back((sums.empty() ? 0 : sums.back()) +
                     std::pow(static_cast<double>(i + 1), -skew));
    }
    ForEachBegin(span, [&](double at_ms) {
      const auto head = std::lower_bound(sums.begin(), sums.end(), Uniform() * sums.back());
      Ask(at_ms, heads[static_cast<size_t>(head - sums.begin())], Between(1, 3));
    });
  }
  // Every five minutes 30 documents of [40, 120] blocks, read once.
  void Scans(const Span& span) {
    ForEachBegin({span.begin_ms, span.end_ms, 1.0 / 300}, [&](double at_ms) {
      for (int document = 0; document < 30; ++document) {
        Ask(at_ms + document * 200, Fresh(Between(40, 120)), 1);
      }
    });
  }

  SyntheticTrace Done() {
    std::vector<std::pair<int64_t, size_t>> order;
    order.reserve(trace_.requests.size());
    for (const auto& request : trace_.requests) order.emplace_back(request.now_ms, order.size());
    std::sort(order.begin(), order.end());
    decltype(trace_.requests) sorted;
    sorted.reserve(order.size());
    for (const auto& [now_ms, i] : order) sorted.push_back(std::move(trace_.requests[i]));
    trace_.requests = std::move(sorted);
    trace_.unique = next_;
    return std::move(trace_);
  }

 private:
  double Uniform() { return static_cast<double>(random_.Next() >> 11) * 0x1p-53; }
  double Exponential(double mean) { return -mean * std::log(1 - Uniform()); }
  uint64_t Between(uint64_t low, uint64_t high) { return low + random_.Below(high - low + 1); }

  Blocks Fresh(uint64_t count) {
    Blocks blocks(count);
    for (ModelBlock& block : blocks) block = next_++;
    return blocks;
  }
  std::vector<Blocks> Heads(size_t count, uint64_t low, uint64_t high) {
    std::vector<Blocks> heads;
    for (; count > 0; --count) heads.push_back(Fresh(Between(low, high)));
    return heads;
  }
  static void Append(Blocks& to, const Blocks& more) {
    to.insert(to.end(), more.begin(), more.end());
  }
  template <typename Begin>
  void ForEachBegin(const Span& span, Begin begin) {
    const double mean_ms = 1000 / span.per_second;
    double at_ms = static_cast<double>(span.begin_ms) + Exponential(mean_ms);
    while (at_ms < static_cast<double>(span.end_ms)) {
      begin(at_ms);
      at_ms += Exponential(mean_ms);
    }
  }
  void Ask(double at_ms, Blocks prefix, uint64_t own_blocks) {
    Append(prefix, Fresh(own_blocks));
    const uint64_t tokens = prefix.size() * kKindTokensPerBlock - random_.Below(512);
    trace_.requests.push_back({static_cast<int64_t>(at_ms), tokens, std::move(prefix)});
  }

  SeededRandom random_;
  ModelBlock next_ = 0;
  SyntheticTrace trace_;
};

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
  Author author(seed * 100 + static_cast<uint64_t>(kind));
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
  SimulationOptions options;
  options.policy = policy;
  options.dram_blocks = static_cast<uint64_t>(dram_share * static_cast<double>(trace.unique));
  options.blocks_max = trace.unique;
  options.tokens_per_block = kKindTokensPerBlock;
  const auto simulation = Simulation::Create(options).value();
  for (const SyntheticTrace::Request& request : trace.requests) {
    simulation->Take({request.now_ms, request.tokens, request.blocks});
  }
  return 100 * simulation->result().token_hit_ratio();
}

}  // namespace cairn
