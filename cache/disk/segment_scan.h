// Reads a segment without a footer to go by and tells what is left of it, record by record; then
// writes the footer that it lacks, so that no later life scans it again.
#ifndef CAIRN_CACHE_DISK_SEGMENT_SCAN_H_
#define CAIRN_CACHE_DISK_SEGMENT_SCAN_H_

#include <cstdint>
#include <vector>

#include <absl/types/span.h>

#include "cache/disk/io_scheduler.h"
#include "cache/disk/log_geometry.h"
#include "cache/disk/recovered.h"
#include "proto/log_format.h"

namespace cairn {

inline constexpr uint32_t kScanPieceSectors = 16;
inline constexpr uint32_t kScanReadsMax = 48;                // under way
inline constexpr uint32_t kUnreadableSectorsMax = 64;        // of a segment; more are not asked for
inline constexpr uint64_t kVerifiedBytesPerPoll = 4u << 20;  // or one group, if that has more

// One thread; all its memory is `buffer`, a segment large. Used for segment after segment.
class SegmentScan final : private IoClient {
 public:
  SegmentScan(const LogGeometry& geometry, IoScheduler& scheduler, absl::Span<std::byte> buffer,
              RecordVerifier& verifier)
      : geometry_(geometry), scheduler_(scheduler), buffer_(buffer), verifier_(verifier) {}

  void Begin(uint32_t segment, uint64_t generation);
  // Advances; true: it is complete.
  bool Poll(RecoverySink& sink, RecoveryCounters& counters);

  // When complete. Entries of the footer that was written; 0: none was.
  uint32_t footer_entries() const { return footer_written_ ? told() : 0; }
  uint32_t told() const { return static_cast<uint32_t>(entries_.size()); }
  // Some of it could not be read: there may be more.
  bool unreadable() const { return unreadable_sectors_ > 0; }

 private:
  enum class Phase { kRead, kTell, kSeal, kDone };

  void OnIoEnd(uint64_t cookie, const IoResult& result) override;
  bool ReadPieces();
  bool ReadPiece(uint32_t sector, uint32_t sectors);
  void TakePiece(uint32_t sector, uint32_t sectors, bool good);
  bool TellGroups(RecoverySink& sink, RecoveryCounters& counters);
  void VerifyGroup(const log_format::Group& group, RecoverySink& sink, RecoveryCounters& counters);
  void WriteFooter();
  absl::Span<std::byte> Sectors(uint64_t first, uint64_t count) const {
    return buffer_.subspan(first * kSectorBytes, count * kSectorBytes);
  }

  const LogGeometry& geometry_;
  IoScheduler& scheduler_;
  const absl::Span<std::byte> buffer_;
  RecordVerifier& verifier_;
  Phase phase_ = Phase::kDone;
  uint32_t segment_ = 0;
  uint64_t generation_ = 0;
  uint32_t next_sector_ = 0;       // to be read
  std::vector<uint32_t> retries_;  // sectors of pieces that could not be read
  uint32_t reads_in_flight_ = 0;
  uint32_t unreadable_sectors_ = 0;
  uint32_t group_sector_ = 0;               // to be told
  std::vector<log_format::Entry> entries_;  // told
  bool footer_in_flight_ = false;
  bool footer_written_ = false;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_SEGMENT_SCAN_H_
