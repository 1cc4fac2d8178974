// The prompts of the simulated engines: chains of block hashes that share heads, as conversations
// behind a system prompt do.
#ifndef CAIRN_TESTS_SIM_CHAINS_H_
#define CAIRN_TESTS_SIM_CHAINS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "proto/identity.h"

namespace cairn::sim {

using BlockHash = std::array<std::byte, 32>;

inline constexpr uint64_t kConversations = 12;

// The first `length` blocks of a conversation. Conversations with the same remainder modulo three
// begin with the same system prompt.
std::vector<BlockHash> MakeChain(uint64_t conversation, size_t length);

// Which blocks some engine of a tenant has ever tried to store: nothing else can be a hit, or
// resident.
class Ledger {
 public:
  struct Block {
    NamespaceId ns;
    uint32_t bytes = 0;
  };

  void Offered(uint32_t tenant, const BlockKey& key, const Block& block) {
    offered_[{tenant, key.bytes}] = block;
  }
  // Null: never offered.
  const Block* Find(uint32_t tenant, const BlockKey& key) const {
    const auto found = offered_.find({tenant, key.bytes});
    return found == offered_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::pair<uint32_t, decltype(BlockKey::bytes)>, Block> offered_;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_CHAINS_H_
