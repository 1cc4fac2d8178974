// The words of identity: what decides that two blocks are the same bytes (P1, P5).
// Layouts: FORMAT.md, "Identity". Test vectors: tests/data/vectors/.
#ifndef CAIRN_PROTO_IDENTITY_H_
#define CAIRN_PROTO_IDENTITY_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

namespace cairn {

// 16 opaque bytes with a type of their own, so that a namespace is never passed for a key.
template <typename Tag>
struct Id128 {
  std::array<std::byte, 16> bytes{};

  friend auto operator<=>(const Id128&, const Id128&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Id128& id) {
    return H::combine(std::move(state), id.Word(0), id.Word(1));
  }
  // 64 bits of the id in host order. Keys are uniformly distributed, so a word is a hash.
  uint64_t Word(int index) const {
    uint64_t word;
    std::memcpy(&word, bytes.data() + 8 * index, sizeof(word));
    return word;
  }
};

using BlockKey = Id128<struct BlockKeyTag>;        // HMAC-SHA-256 of tenant, namespace, block hash
using NamespaceId = Id128<struct NamespaceIdTag>;  // SHA-256 of the namespace's canonical bytes
using Checksum = Id128<struct ChecksumTag>;        // XXH3-128 over identity, length and payload
using ClientId = Id128<struct ClientIdTag>;        // random, one per client process start
using ClusterId = Id128<struct ClusterIdTag>;      // random, made once per registry
using NodeId = Id128<struct NodeIdTag>;            // random, made once per node, kept on its disk

using TenantSecret = std::array<std::byte, 32>;
using TenantId = uint32_t;  // assigned by the registry, never reused; 0 is no tenant

// The block at `position` of a chain belongs to the run that starts here: runs of 1, 1, 2, 4, 8,
// 16, then 32 blocks. A run lives on one node and one shard. They grow because chains share heads:
// with runs of 32 from the start every chain behind a common first block would sit on one node.
constexpr uint32_t RunStart(uint32_t position) {
  if (position >= 32) return position - position % 32;
  uint32_t start = position;
  while ((start & (start - 1)) != 0) start &= start - 1;
  return start;
}

inline constexpr uint32_t kBlockBytesMin = 4096;
inline constexpr uint32_t kBlockBytesMax = 64u << 20;
inline constexpr uint32_t kChainPositionMax = (1u << 24) - 1;

}  // namespace cairn

#endif  // CAIRN_PROTO_IDENTITY_H_
