#include "tests/cache/model/trace_author.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cairn {
namespace {

void Append(std::vector<ModelBlock>& to, const std::vector<ModelBlock>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

template <typename Begin>
void TraceAuthor::ForEachBegin(const Span& span, Begin begin) {
  const double mean_ms = 1000 / span.per_second;
  double at_ms = static_cast<double>(span.begin_ms) + Exponential(mean_ms);
  while (at_ms < static_cast<double>(span.end_ms)) {
    begin(at_ms);
    at_ms += Exponential(mean_ms);
  }
}

void TraceAuthor::Chats(const Span& span, double returns, double rest_ms) {
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

void TraceAuthor::Agents(const Span& span, double rest_ms) {
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

void TraceAuthor::Popular(const Span& span, size_t count, double skew, uint64_t blocks_max) {
  const std::vector<Blocks> heads = Heads(count, 4, blocks_max);
  std::vector<double> sums;
  sums.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    sums.push_back((sums.empty() ? 0 : sums.back()) + std::pow(static_cast<double>(i + 1), -skew));
  }
  ForEachBegin(span, [&](double at_ms) {
    const auto head = std::lower_bound(sums.begin(), sums.end(), Uniform() * sums.back());
    Ask(at_ms, heads[static_cast<size_t>(head - sums.begin())], Between(1, 3));
  });
}

void TraceAuthor::Scans(const Span& span) {
  ForEachBegin({span.begin_ms, span.end_ms, 1.0 / 300}, [&](double at_ms) {
    for (int document = 0; document < 30; ++document) {
      Ask(at_ms + document * 200, Fresh(Between(40, 120)), 1);
    }
  });
}

uint64_t TraceAuthor::Rounds(const Span& span, size_t count, uint64_t blocks_max) {
  const std::vector<Blocks> documents = Heads(count, 4, blocks_max);
  uint64_t blocks = 0;
  for (const Blocks& document : documents) blocks += document.size();
  size_t turn = 0;
  ForEachBegin(span, [&](double at_ms) { Ask(at_ms, documents[turn++ % count], 1); });
  return blocks;
}

SyntheticTrace TraceAuthor::Done() {
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

double TraceAuthor::Exponential(double mean) { return -mean * std::log(1 - Uniform()); }

TraceAuthor::Blocks TraceAuthor::Fresh(uint64_t count) {
  Blocks blocks(count);
  for (ModelBlock& block : blocks) block = next_++;
  return blocks;
}

std::vector<TraceAuthor::Blocks> TraceAuthor::Heads(size_t count, uint64_t low, uint64_t high) {
  std::vector<Blocks> heads;
  for (; count > 0; --count) heads.push_back(Fresh(Between(low, high)));
  return heads;
}

void TraceAuthor::Ask(double at_ms, Blocks prefix, uint64_t own_blocks) {
  Append(prefix, Fresh(own_blocks));
  const uint64_t tokens = prefix.size() * kKindTokensPerBlock - random_.Below(512);
  trace_.requests.push_back({static_cast<int64_t>(at_ms), tokens, std::move(prefix)});
}

}  // namespace cairn
