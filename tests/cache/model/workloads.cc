#include "tests/cache/model/workloads.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.h"

namespace cairn {
namespace {

constexpr int64_t kSpan_ms = 3'600'000;

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  uint32_t Between(uint32_t least, uint32_t most) {
    return least + static_cast<uint32_t>(random_.Below(most - least + 1));
  }
  bool Chance(uint32_t percent) { return random_.Below(100) < percent; }
  // Exponential.
  int64_t Wait(int64_t mean_ms) {
    const double uniform = static_cast<double>(random_.Below(1'000'000) + 1) / 1e6;
    return static_cast<int64_t>(-std::log(uniform) * static_cast<double>(mean_ms));
  }
  uint32_t BeginSession() { return sessions_++; }
  void Extend(std::vector<ModelBlock>& prompt, uint32_t blocks, uint32_t session) {
    for (uint32_t i = 0; i < blocks; ++i) {
      prompt.push_back(static_cast<ModelBlock>(made_.sessions.size()));
      made_.sessions.push_back(session);
    }
  }
  // The prompt with its last block, which no later prompt shares.
  void Ask(int64_t now_ms, std::vector<ModelBlock> prompt, uint32_t session) {
    Extend(prompt, 1, session);
    made_.requests.push_back({now_ms, std::move(prompt)});
  }
  Workload Done(std::string name) {
    // No two requests have the last block in common.
    const auto order = [](const Workload::Request& request) {
      return std::pair(request.now_ms, request.blocks.back());
    };
    std::sort(made_.requests.begin(), made_.requests.end(),
              [&order](const auto& a, const auto& b) { return order(a) < order(b); });
    made_.name = std::move(name);
    return std::move(made_);
  }

  void Chat(int64_t begin_ms, uint32_t return_percent, int64_t pause_ms) {
    const uint32_t session = BeginSession();
    std::vector<ModelBlock> prompt;
    Extend(prompt, Between(2, 24), session);
    for (int64_t now = begin_ms; now < kSpan_ms; now += Wait(pause_ms)) {
      Ask(now, prompt, session);
      if (!Chance(return_percent)) return;
      Extend(prompt, Between(1, 5), session);
    }
  }
  void Agent(int64_t begin_ms, const std::vector<ModelBlock>& system) {
    const uint32_t session = BeginSession();
    std::vector<ModelBlock> prompt = system;
    Extend(prompt, Between(2, 10), session);
    const uint32_t steps = Between(5, 40);
    int64_t now = begin_ms;
    for (uint32_t step = 0; step < steps && now < kSpan_ms; ++step) {
      Ask(now, prompt, session);
      Extend(prompt, Between(0, 3), session);
      now += 2'000 + Wait(20'000);
    }
  }

 private:
  SeededRandom random_;
  Workload made_;
  uint32_t sessions_ = 0;
};

}  // namespace

Workload Chats(uint64_t seed) {
  Maker maker(seed);
  for (int64_t now = 0; now < kSpan_ms; now += maker.Wait(1'500)) maker.Chat(now, 60, 180'000);
  return maker.Done("chats");
}

Workload Agents(uint64_t seed) {
  Maker maker(seed);
  std::vector<std::vector<ModelBlock>> systems(10);
  for (auto& system : systems) maker.Extend(system, 12, maker.BeginSession());
  for (int64_t now = 0; now < kSpan_ms; now += maker.Wait(8'000)) {
    maker.Agent(now, systems[maker.Between(0, 9)]);
  }
  return maker.Done("agents");
}

Workload BatchBesideChats(uint64_t seed) {
  Maker maker(seed);
  for (int64_t now = 0; now < kSpan_ms; now += maker.Wait(5'000)) maker.Chat(now, 80, 120'000);
  for (int64_t now = 0; now < kSpan_ms; now += maker.Wait(2'500)) {
    const uint32_t session = maker.BeginSession();
    std::vector<ModelBlock> prompt;
    maker.Extend(prompt, maker.Between(20, 100), session);
    maker.Ask(now, prompt, session);
  }
  return maker.Done("batch beside chats");
}

Workload Documents(uint64_t seed) {
  Maker maker(seed);
  std::vector<ModelBlock> system;
  maker.Extend(system, 5, maker.BeginSession());
  for (int64_t now = 0; now < kSpan_ms; now += maker.Wait(5'000)) {
    const uint32_t document = maker.BeginSession();
    std::vector<ModelBlock> prompt = system;
    maker.Extend(prompt, maker.Between(15, 80), document);
    const uint32_t questions = maker.Chance(60) ? 1 : maker.Between(2, 20);
    int64_t at = now;
    for (uint32_t i = 0; i < questions; ++i, at += maker.Wait(60'000)) {
      maker.Ask(at, prompt, document);
    }
  }
  return maker.Done("documents");
}

}  // namespace cairn
