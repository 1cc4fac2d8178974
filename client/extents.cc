#include "client/extents.h"

#include <algorithm>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

bool Contiguous(const Extents& extents) {
  return extents.count == 1 || extents.stride_bytes == extents.size_bytes;
}

absl::Status CheckOne(const Extents& extents, uint64_t region_bytes, size_t index) {
  const auto bad = [index](const char* field, const char* why) {
    return absl::InvalidArgumentError(absl::StrCat("extents[", index, "].", field, ": ", why));
  };
  if (extents.count == 0) return bad("count", "0; at least 1");
  if (extents.size_bytes == 0) return bad("size_bytes", "0; at least 1");
  if (extents.count > 1 && extents.stride_bytes < extents.size_bytes) {
    return bad("stride_bytes", "smaller than size_bytes: the pieces overlap");
  }
  const unsigned __int128 last =
      static_cast<unsigned __int128>(extents.base_bytes) +
      static_cast<unsigned __int128>(extents.count > 1 ? extents.stride_bytes : 0) *
          (extents.count - 1) +
      extents.size_bytes;
  if (last > region_bytes) return bad("base_bytes", "a piece ends beyond its region");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint32_t> CheckExtents(absl::Span<const Extents> extents, uint64_t region_bytes) {
  if (extents.empty() || extents.size() > kExtentsPerTransferMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("extents: ", extents.size(), " given; 1 to ", kExtentsPerTransferMax));
  }
  uint64_t length = 0;
  for (size_t i = 0; i < extents.size(); ++i) {
    if (absl::Status status = CheckOne(extents[i], region_bytes, i); !status.ok()) return status;
    length += uint64_t{extents[i].count} * extents[i].size_bytes;
  }
  if (length > kBlockBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("extents: a block of ", length, " bytes; at most ", kBlockBytesMax));
  }
  return static_cast<uint32_t>(length);
}

uint32_t LengthOf(absl::Span<const Extents> extents) {
  uint32_t length = 0;
  for (const Extents& list : extents) length += list.count * list.size_bytes;
  return length;
}

Reach ReachOf(absl::Span<const Extents> extents) {
  if (extents.size() == 1 && Contiguous(extents[0])) return Reach::kWhole;
  const Extents& first = extents[0];
  const bool alike = std::all_of(extents.begin(), extents.end(), [&first](const Extents& list) {
    return list.size_bytes == first.size_bytes && list.count == first.count;
  });
  return alike && first.size_bytes >= kPieceBytesMin ? Reach::kPieces : Reach::kBounce;
}

uint64_t SpanOf(const Extents& extents) {
  return uint64_t{extents.count - 1} * extents.stride_bytes + extents.size_bytes;
}

void Scatter(absl::Span<const std::byte> bytes, absl::Span<const Extents> extents,
             std::byte* origin) {
  for (const Extents& list : extents) {
    for (uint32_t i = 0; i < list.count; ++i) {
      std::memcpy(origin + list.base_bytes + i * list.stride_bytes, bytes.data(), list.size_bytes);
      bytes.remove_prefix(list.size_bytes);
    }
  }
}

void Gather(absl::Span<const Extents> extents, const std::byte* origin,
            absl::Span<std::byte> bytes) {
  for (const Extents& list : extents) {
    for (uint32_t i = 0; i < list.count; ++i) {
      std::memcpy(bytes.data(), origin + list.base_bytes + i * list.stride_bytes, list.size_bytes);
      bytes.remove_prefix(list.size_bytes);
    }
  }
}

}  // namespace cairn
