// Finds out what a log holds after any end of the process that wrote it: the footers of sealed
// segments first, then, record by record, what was not sealed. Whatever is in doubt is left out and
// counted by its reason.
#ifndef CAIRN_CACHE_DISK_LOG_RECOVERY_H_
#define CAIRN_CACHE_DISK_LOG_RECOVERY_H_

#include <cstdint>
#include <deque>
#include <vector>

#include <absl/types/span.h>

#include "cache/disk/aligned_buffer.h"
#include "cache/disk/io_scheduler.h"
#include "cache/disk/log_geometry.h"
#include "proto/log_format.h"

namespace cairn {

inline constexpr size_t kRecoveryReadsMax = 64;         // under way
inline constexpr size_t kRecoveredPerPollMax = 16'384;  // records told in one Poll

struct RecoveryCounters {
  uint64_t segments_sealed = 0;
  uint64_t segments_scanned = 0;  // had no footer that could be believed
  uint64_t records = 0;
  // What was left out.
  uint64_t footers_damaged = 0;
  uint64_t segments_unreadable = 0;
  uint64_t tails_torn = 0;       // scans that ended at a group that was not written whole
  uint64_t records_damaged = 0;  // of such a group: payload and checksum differ
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

// One thread; all its memory is `buffer`, a segment large.
class LogRecovery final : private IoClient {
 public:
  struct Segment {
    uint64_t generation = 0;  // 0: holds nothing
    bool sealed = false;
    uint32_t entries = 0;  // of a sealed one
  };

  LogRecovery(const LogGeometry& geometry, IoScheduler& scheduler, absl::Span<std::byte> buffer,
              RecordVerifier& verifier);

  // Advances; true: it is complete. Calls the sink at most kRecoveredPerPollMax times.
  bool Poll(RecoverySink& sink);

  // When complete.
  const std::vector<Segment>& segments() const { return segments_; }
  const RecoveryCounters& counters() const { return counters_; }
  // Of segments looked at and read: 0 to 1.
  double progress() const;

 private:
  enum class Phase { kLook, kRead, kDone };
  // What the two ends of a segment say.
  struct Look {
    uint64_t footer_generation = 0;
    uint32_t entry_sector = 0;
    uint32_t entries = 0;
    uint64_t first_generation = 0;  // of its first group
    bool footer_damaged = false;
    bool unreadable = false;
    uint8_t ends_pending = 0;
  };

  void OnIoEnd(uint64_t cookie, const IoResult& result) override;
  void StartLooks();
  void TakeFooter(uint32_t segment, const IoResult& result, absl::Span<const std::byte> sector);
  void TakeFirstGroup(uint32_t segment, const IoResult& result, absl::Span<const std::byte> sector);
  void Order();
  void StartRead();
  bool TellFooter(RecoverySink& sink);
  bool TellScan(RecoverySink& sink);
  size_t VerifyGroup(const log_format::Group& group, RecoverySink& sink);
  void Reseal();
  void NextSegment();
  absl::Span<std::byte> Slot(uint32_t slot) const {
    return buffer_.subspan(slot * kSectorBytes, kSectorBytes);
  }

  const LogGeometry geometry_;
  IoScheduler& scheduler_;
  const absl::Span<std::byte> buffer_;
  RecordVerifier& verifier_;
  Phase phase_ = Phase::kLook;
  std::vector<Segment> segments_;
  std::vector<Look> looks_;
  uint32_t looked_ = 0;    // segments whose looks were started
  uint32_t answered_ = 0;  // and ended
  std::vector<uint32_t> slots_free_;
  std::vector<uint32_t> order_;  // segments by generation
  size_t at_ = 0;                // of order_
  bool reading_ = false;
  bool read_ = false;
  bool read_failed_ = false;
  bool scanning_ = false;
  bool resealing_ = false;
  std::vector<log_format::Entry> scanned_;  // what a scan found, for the footer that was missing
  size_t told_ = 0;                         // footer entries told
  uint32_t scan_sector_ = 0;
  RecoveryCounters counters_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_LOG_RECOVERY_H_
