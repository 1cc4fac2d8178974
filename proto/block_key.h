// Namespace ids and block keys: who may read which bytes (P5), and which bytes are the same (P1).
#ifndef CAIRN_PROTO_BLOCK_KEY_H_
#define CAIRN_PROTO_BLOCK_KEY_H_

#include <memory>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "proto/identity.h"

namespace cairn {

namespace v1 {
class Namespace;
}

// SHA-256 over the typed, length-prefixed fields of the namespace (FORMAT.md), truncated to 16
// bytes: independent of protobuf's encoding. kInvalidArgument names the missing or out-of-range
// field.
absl::StatusOr<NamespaceId> MakeNamespaceId(const v1::Namespace& ns);

inline constexpr size_t kBlockHashBytesMax = 64;  // SHA-512, the longest that engines chain

// Makes the keys of one tenant and namespace. Holds the keyed HMAC state: a key of a hash of up to
// 54 bytes costs two SHA-256 blocks, a quarter of a microsecond, and no allocation. Thread-safe.
// A moved-from maker may only be destroyed or assigned to.
class BlockKeyMaker {
 public:
  BlockKeyMaker(const TenantSecret& secret, const NamespaceId& ns);
  ~BlockKeyMaker();
  BlockKeyMaker(BlockKeyMaker&&) noexcept;
  BlockKeyMaker& operator=(BlockKeyMaker&&) noexcept;

  // block_hash: the engine's chained hash of the block, 1 to kBlockHashBytesMax bytes.
  BlockKey Make(absl::Span<const std::byte> block_hash) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn

#endif  // CAIRN_PROTO_BLOCK_KEY_H_
