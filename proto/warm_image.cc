#include "proto/warm_image.h"

#include <xxhash.h>

#include <cstring>

#include <absl/strings/str_cat.h>

namespace cairn {
namespace {

Checksum SumOf(const std::byte* bytes, size_t size) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
  Checksum checksum;
  std::memcpy(checksum.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return checksum;
}

// The checksum of header and records, the header's own field as zeros.
Checksum SumOf(WarmHeader header, const std::byte* records, size_t records_bytes) {
  header.checksum = Checksum{};
  std::string whole(reinterpret_cast<const char*>(&header), sizeof(header));
  const Checksum tail = SumOf(records, records_bytes);
  whole.append(reinterpret_cast<const char*>(tail.bytes.data()), tail.bytes.size());
  return SumOf(reinterpret_cast<const std::byte*>(whole.data()), whole.size());
}

}  // namespace

std::string EncodeWarmImage(WarmHeader header, absl::Span<const WarmRecord> records) {
  header.magic = kWarmImageMagic;
  header.version = kWarmImageVersion;
  header.records = records.size();
  const size_t records_bytes = records.size() * sizeof(WarmRecord);
  header.checksum =
      SumOf(header, reinterpret_cast<const std::byte*>(records.data()), records_bytes);
  std::string image(reinterpret_cast<const char*>(&header), sizeof(header));
  image.append(reinterpret_cast<const char*>(records.data()), records_bytes);
  return image;
}

absl::StatusOr<WarmImage> DecodeWarmImage(absl::Span<const std::byte> bytes) {
  if (bytes.size() < sizeof(WarmHeader)) return absl::DataLossError("warm image: too short");
  WarmImage image;
  std::memcpy(&image.header, bytes.data(), sizeof(WarmHeader));
  if (image.header.magic != kWarmImageMagic) return absl::DataLossError("warm image: magic");
  if (image.header.version != kWarmImageVersion) {
    return absl::FailedPreconditionError(absl::StrCat("warm image: version ",
                                                      uint16_t{image.header.version},
                                                      ", this build reads ", kWarmImageVersion));
  }
  bytes.remove_prefix(sizeof(WarmHeader));
  if (bytes.size() % sizeof(WarmRecord) != 0 ||
      bytes.size() / sizeof(WarmRecord) != image.header.records) {
    return absl::DataLossError("warm image: length");
  }
  if (SumOf(image.header, bytes.data(), bytes.size()) != image.header.checksum) {
    return absl::DataLossError("warm image: checksum");
  }
  image.records = {reinterpret_cast<const WarmRecord*>(bytes.data()), image.header.records};
  for (const WarmRecord& record : image.records) {
    const bool begins_run = RunStart(record.position) == record.position;
    const bool sane = record.length >= 1 && record.length <= kBlockBytesMax &&
                      record.position <= kChainPositionMax && record.tenant != 0 &&
                      (record.parent == BlockKey{}) == begins_run &&
                      record.offset <= image.header.arena_bytes &&
                      record.length <= image.header.arena_bytes - record.offset;
    if (!sane) return absl::DataLossError("warm image: a record is out of range");
  }
  return image;
}

}  // namespace cairn
