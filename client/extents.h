// The shapes of a block in the engine's memory, and copies between them and one piece of bytes.
#ifndef CAIRN_CLIENT_EXTENTS_H_
#define CAIRN_CLIENT_EXTENTS_H_

#include <cstdint>

#include <absl/status/status.h>
#include <absl/types/span.h>

#include "client/client.h"

namespace cairn {

// How a lane can reach a block.
enum class Reach {
  kWhole,   // one contiguous piece
  kPieces,  // pieces of one size and number a list, large enough to be chunks of their own
  kBounce,  // through a bounce buffer
};
// Below, a chunk costs more than a copy. Over TCP on loopback 32 pieces of 64 KiB came at 1.0 GB/s
// one by one and at 1.6 copied, 256 KiB at 1.25 and 1.65 (vllm_worker of `./dev bench --engine
// vllm`).
inline constexpr uint32_t kPieceBytesMin = 512 << 10;

// The block's length. kInvalidArgument names the field: no extents, too many, a size of 0, a piece
// beyond the region, a length beyond 64 MiB.
absl::StatusOr<uint32_t> CheckExtents(absl::Span<const Extents> extents, uint64_t region_bytes);

// Of extents that CheckExtents passed.
uint32_t LengthOf(absl::Span<const Extents> extents);

Reach ReachOf(absl::Span<const Extents> extents);

// Bytes from the first piece's begin to the last one's end. Of extents that CheckExtents passed.
uint64_t SpanOf(const Extents& extents);

// origin: where the extents' bases count from. bytes.size(): the block's length.
void Scatter(absl::Span<const std::byte> bytes, absl::Span<const Extents> extents,
             std::byte* origin);
void Gather(absl::Span<const Extents> extents, const std::byte* origin,
            absl::Span<std::byte> bytes);

}  // namespace cairn

#endif  // CAIRN_CLIENT_EXTENTS_H_
