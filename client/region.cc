#include "client/region.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "client/client_impl.h"
#include "client/extents.h"

namespace cairn {

absl::Status CheckPieces(absl::Span<const absl::Span<std::byte>> pieces) {
  if (pieces.empty() || pieces.size() > kRegionPiecesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("pieces: ", pieces.size(), " given; 1 to ", kRegionPiecesMax));
  }
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&pieces](size_t a, size_t b) {
    return std::less<>()(pieces[a].data(), pieces[b].data());
  });
  for (size_t i = 0; i < order.size(); ++i) {
    const absl::Span<std::byte> piece = pieces[order[i]];
    if (piece.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("pieces[", order[i], "]: empty; give at least one byte"));
    }
    if (i + 1 < order.size() && piece.data() + piece.size() > pieces[order[i + 1]].data()) {
      return absl::InvalidArgumentError(absl::StrCat("pieces[", order[i], "]: overlaps pieces[",
                                                     order[i + 1], "]; give each byte once"));
    }
  }
  return absl::OkStatus();
}

ClientRegion::ClientRegion(ClientImpl& client, std::vector<std::unique_ptr<Region>> pieces)
    : client_(&client) {
  pieces_.reserve(pieces.size());
  by_address_.reserve(pieces.size());
  for (std::unique_ptr<Region>& region : pieces) {
    by_address_.push_back(region.get());
    const uint64_t begin = std::exchange(size_bytes_, size_bytes_ + region->size_bytes());
    pieces_.push_back({begin, std::move(region)});
  }
  std::sort(by_address_.begin(), by_address_.end(),
            [](const Region* a, const Region* b) { return std::less<>()(a->base(), b->base()); });
  origin_ = by_address_.front()->base();
}

ClientRegion::~ClientRegion() {
  if (client_ != nullptr) client_->Forget(*this);
}

void ClientRegion::Invalidate() {
  client_ = nullptr;
  pieces_.clear();
  by_address_.clear();
}

const ClientRegion::Piece& ClientRegion::PieceAt(uint64_t offset_bytes) const {
  const auto next = std::upper_bound(
      pieces_.begin(), pieces_.end(), offset_bytes,
      [](uint64_t offset, const Piece& piece) { return offset < piece.begin_bytes; });
  return *std::prev(next);
}

absl::StatusOr<uint32_t> ClientRegion::Check(absl::Span<const Extents> extents) const {
  CAIRN_ASSIGN_OR_RETURN(const uint32_t length, CheckExtents(extents, size_bytes_));
  if (pieces_.size() == 1) return length;
  for (size_t i = 0; i < extents.size(); ++i) {
    const Piece& piece = PieceAt(extents[i].base_bytes);
    const uint64_t end = extents[i].base_bytes + SpanOf(extents[i]);
    if (end > piece.begin_bytes + piece.region->size_bytes()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "extents[", i, "].base_bytes: runs from one piece of its region into the next"));
    }
  }
  return length;
}

void ClientRegion::Rebase(absl::Span<Extents> extents) const {
  if (pieces_.size() == 1) return;
  for (Extents& list : extents) {
    const Piece& piece = PieceAt(list.base_bytes);
    const auto from_origin = static_cast<uint64_t>(piece.region->base() - origin_);
    list.base_bytes = from_origin + (list.base_bytes - piece.begin_bytes);
  }
}

RegionSlice ClientRegion::SliceAt(uint64_t from_origin_bytes, uint64_t size_bytes) const {
  const std::byte* const address = origin_ + from_origin_bytes;
  const auto next = std::upper_bound(by_address_.begin(), by_address_.end(), address,
                                     [](const std::byte* wanted, const Region* region) {
                                       return std::less<>()(wanted, region->base());
                                     });
  CAIRN_CHECK(next != by_address_.begin());
  const Region* region = *std::prev(next);
  return {region, static_cast<uint64_t>(address - region->base()), size_bytes};
}

const ClientRegion& RegionOf(const MemoryRegion& region) {
  return static_cast<const ClientRegion&>(region);
}

}  // namespace cairn
