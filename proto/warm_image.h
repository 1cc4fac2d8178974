// What a stopped node leaves to its successor beside its arena: which block lies where. Bytes:
// FORMAT.md, "Warm image". Never on a disk: it lives and dies with the memory it describes.
#ifndef CAIRN_PROTO_WARM_IMAGE_H_
#define CAIRN_PROTO_WARM_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "proto/identity.h"
#include "proto/little_endian.h"

namespace cairn {

inline constexpr uint16_t kWarmImageVersion = 1;
inline constexpr uint64_t kWarmImageMagic = 0x474d494d5241574e;  // "NWARMIMG"

struct WarmHeader {
  U64Le magic;
  U16Le version;
  U16Le reactor;
  U16Le reactors;
  U16Le reserved;
  NodeId node;
  U64Le incarnation;  // of the life that left it
  U64Le arena_bytes;
  U64Le slab_bytes;
  U64Le records;
  Checksum checksum;  // XXH3-128 of (this header with zeros here, XXH3-128 of the records)
};
static_assert(sizeof(WarmHeader) == 80);

struct WarmRecord {
  BlockKey key;
  NamespaceId ns;
  Checksum checksum;
  BlockKey parent;  // in the same run; zero where a run begins
  U64Le offset;     // in the arena
  U32Le tenant;
  U32Le length;
  U32Le position;
  U32Le reserved;
};
static_assert(sizeof(WarmRecord) == 88);

struct WarmImage {
  WarmHeader header;
  absl::Span<const WarmRecord> records;  // into the bytes
};

// header.records and the fields that the function owns are filled in.
std::string EncodeWarmImage(WarmHeader header, absl::Span<const WarmRecord> records);
// kDataLoss: damaged. kFailedPrecondition: of another version. Offsets and lengths lie in the
// arena; the bytes outlive the view.
absl::StatusOr<WarmImage> DecodeWarmImage(absl::Span<const std::byte> bytes);

}  // namespace cairn

#endif  // CAIRN_PROTO_WARM_IMAGE_H_
