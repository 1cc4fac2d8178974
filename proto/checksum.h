// The end-to-end checksum: made by the writing client from its own bytes, stored with the block on
// every tier, compared by the reading client after the bytes landed. Bound to the identity, so
// right bytes under a wrong key fail too. About 20 to 49 GB/s a core; not a defence against an
// adversary.
#ifndef CAIRN_PROTO_CHECKSUM_H_
#define CAIRN_PROTO_CHECKSUM_H_

#include <absl/types/span.h>

#include "proto/identity.h"

namespace cairn {

// One thread at a time; copies go their own ways. A block's payload may come in pieces (extents),
// in order. On the stack: no allocation (XXH3 state is 576 bytes, 64-byte aligned).
class ChecksumStream {
 public:
  // payload_bytes: the length of the whole block.
  ChecksumStream(const BlockKey& key, const NamespaceId& ns, uint32_t payload_bytes);
  void Update(absl::Span<const std::byte> piece);
  // CAIRN_CHECKs that exactly payload_bytes were given.
  Checksum Finish() const;

 private:
  alignas(64) std::byte state_[576];
  uint64_t remaining_bytes_;
};

// The same of a payload in one piece, at most kBlockBytesMax. Thread-safe.
Checksum MakeChecksum(const BlockKey& key, const NamespaceId& ns,
                      absl::Span<const std::byte> payload);

}  // namespace cairn

#endif  // CAIRN_PROTO_CHECKSUM_H_
