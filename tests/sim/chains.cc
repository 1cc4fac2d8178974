#include "tests/sim/chains.h"

#include <absl/types/span.h>

#include "base/random.h"

namespace cairn::sim {
namespace {

constexpr uint64_t kSystemPrompts = 3;
constexpr uint64_t kSystemPromptBlocks[kSystemPrompts] = {1, 5, 9};

}  // namespace

std::vector<BlockHash> MakeChain(uint64_t conversation, size_t length) {
  std::vector<BlockHash> chain(length);
  const uint64_t prompt = conversation % kSystemPrompts;
  for (uint64_t i = 0; i < length; ++i) {
    const uint64_t text = i < kSystemPromptBlocks[prompt] ? prompt : kSystemPrompts + conversation;
    SeededRandom(text << 32 | i).Fill(absl::MakeSpan(chain[i]));
  }
  return chain;
}

}  // namespace cairn::sim
