// Namespace ids and block keys. Thread-safe; tens of nanoseconds to microseconds each.
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

// Makes the keys of one tenant and namespace; holds the keyed HMAC state, so a key costs two
// SHA-256 blocks. Not thread-safe.
class BlockKeyMaker {
 public:
  BlockKeyMaker(const TenantSecret& secret, const NamespaceId& ns);
  ~BlockKeyMaker();
  BlockKeyMaker(BlockKeyMaker&&) noexcept;
  BlockKeyMaker& operator=(BlockKeyMaker&&) noexcept;

  // block_hash: the engine's chained hash of the block, 1 to 64 bytes.
  BlockKey Make(absl::Span<const std::byte> block_hash) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn

#endif  // CAIRN_PROTO_BLOCK_KEY_H_
