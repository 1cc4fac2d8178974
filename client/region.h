// Memory that a client's transfers may name: one buffer, or several seen as one.
#ifndef CAIRN_CLIENT_REGION_H_
#define CAIRN_CLIENT_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "client/client.h"
#include "transport/transport.h"

namespace cairn {

class ClientImpl;

// kInvalidArgument names the piece: none, too many, empty, two that overlap.
absl::Status CheckPieces(absl::Span<const absl::Span<std::byte>> pieces);

class ClientRegion final : public MemoryRegion {
 public:
  // pieces: registered, in the caller's order, at least one, without overlap.
  ClientRegion(ClientImpl& client, std::vector<std::unique_ptr<Region>> pieces);
  ~ClientRegion() override;

  uint64_t size_bytes() const override { return size_bytes_; }

  // The block's length. Errors as CheckExtents, and kInvalidArgument for an extent that runs from
  // one piece into the next.
  absl::StatusOr<uint32_t> Check(absl::Span<const Extents> extents) const;
  // Of extents that Check passed: makes their bases offsets from origin().
  void Rebase(absl::Span<Extents> extents) const;

  // The lowest address of all pieces.
  std::byte* origin() const { return origin_; }
  // The lane's view of bytes of one piece, from origin() on.
  RegionSlice SliceAt(uint64_t from_origin_bytes, uint64_t size_bytes) const;

  // The client is going.
  void Invalidate();

 private:
  struct Piece {
    uint64_t begin_bytes = 0;  // in the region
    std::unique_ptr<Region> region;
  };

  const Piece& PieceAt(uint64_t offset_bytes) const;

  ClientImpl* client_;
  std::vector<Piece> pieces_;
  std::vector<const Region*> by_address_;
  std::byte* origin_ = nullptr;
  uint64_t size_bytes_ = 0;
};

const ClientRegion& RegionOf(const MemoryRegion& region);

}  // namespace cairn

#endif  // CAIRN_CLIENT_REGION_H_
