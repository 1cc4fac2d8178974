// Where things lie in a log: superblocks, segments, payloads.
#ifndef CAIRN_CACHE_DISK_LOG_GEOMETRY_H_
#define CAIRN_CACHE_DISK_LOG_GEOMETRY_H_

#include <cstdint>

#include "base/block_queue.h"
#include "proto/log_format.h"

namespace cairn {

static_assert(log_format::kSector == kSectorBytes && log_format::kSegmentBytesMax <= kIoBytesMax);

// Where a record's payload begins.
struct Place {
  uint32_t segment = 0;
  uint32_t sector = 0;  // from the segment's start

  friend bool operator==(const Place&, const Place&) = default;
};

struct LogGeometry {
  DeviceId device{};
  uint64_t offset_bytes = 0;  // of the log on its device
  uint64_t segment_bytes = 0;
  uint32_t segments = 0;
  log_format::LogId log;

  uint32_t sectors() const { return static_cast<uint32_t>(segment_bytes / kSectorBytes); }
  uint64_t OffsetOf(Place place) const {
    return offset_bytes + log_format::kFirstSegmentOffset + place.segment * segment_bytes +
           place.sector * kSectorBytes;
  }
  log_format::SegmentName NameOf(uint32_t segment, uint64_t generation) const {
    return {log, segment_bytes, generation, segment};
  }
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_LOG_GEOMETRY_H_
