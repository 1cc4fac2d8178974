// What recovery tells, to whom, and who vouches for it.
#ifndef CAIRN_CACHE_DISK_RECOVERED_H_
#define CAIRN_CACHE_DISK_RECOVERED_H_

#include <cstdint>

#include <absl/types/span.h>

#include "cache/disk/log_geometry.h"
#include "proto/log_format.h"

namespace cairn {

struct RecoveryCounters {
  uint64_t segments_sealed = 0;
  uint64_t segments_scanned = 0;  // had no footer that could be believed
  uint64_t records = 0;
  // What was left out.
  uint64_t footers_damaged = 0;
  uint64_t segments_unreadable = 0;  // in part or whole
  uint64_t tails_torn = 0;           // scans that ended at a group that was not written whole
  uint64_t records_damaged = 0;      // of scanned groups: not the payload that was written
};

// One record that is there. The entry is valid during the call.
class RecoverySink {
 public:
  virtual ~RecoverySink() = default;
  // In the order in which they were written: a later one of the same key counts.
  virtual void OnRecovered(const log_format::Entry& entry, Place place) = 0;
};

// Decides whether a scanned record's payload is what its entry says.
class RecordVerifier {
 public:
  virtual ~RecordVerifier() = default;
  // stored: entry.stored_bytes() as on the drive. May change them.
  virtual bool Verify(const log_format::Entry& entry, const LogGeometry& geometry,
                      uint64_t generation, uint32_t segment, absl::Span<std::byte> stored) = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_RECOVERED_H_
