// Finds out what a log holds after any end of the process that wrote it: the footers of sealed
// segments first, then, record by record, what was not sealed. Whatever is in doubt is left out and
// counted by its reason. Rules: FORMAT.md, "Recovery".
#ifndef CAIRN_CACHE_DISK_LOG_RECOVERY_H_
#define CAIRN_CACHE_DISK_LOG_RECOVERY_H_

#include <array>
#include <cstdint>
#include <vector>

#include <absl/types/span.h>

#include "cache/disk/io_scheduler.h"
#include "cache/disk/log_geometry.h"
#include "cache/disk/recovered.h"
#include "cache/disk/segment_scan.h"
#include "proto/log_format.h"

namespace cairn {

inline constexpr size_t kLooksMax = 48;               // reads of a segment's ends under way
inline constexpr size_t kFootersAhead = 8;            // read before it is their turn
inline constexpr size_t kRecoveredPerPollMax = 1024;  // records told from a footer in one Poll

// One thread; all its memory is `buffer`, a segment large.
class LogRecovery final : private IoClient {
 public:
  struct Segment {
    uint64_t generation = 0;  // 0: holds nothing
    uint32_t entries = 0;     // in its footer; 0: it has none
  };

  LogRecovery(const LogGeometry& geometry, IoScheduler& scheduler, absl::Span<std::byte> buffer,
              RecordVerifier& verifier);

  // Advances; true: it is complete, and nothing is under way.
  bool Poll(RecoverySink& sink);

  // A segment's as soon as its records are told.
  const std::vector<Segment>& segments() const { return segments_; }
  const RecoveryCounters& counters() const { return counters_; }
  // Of segments looked at and told: 0 to 1.
  double progress() const;

 private:
  enum class Phase { kLook, kTell, kDone };
  // What the two ends of a segment say.
  struct Look {
    uint64_t footer_generation = 0;  // 0: none that is believed
    uint64_t first_generation = 0;   // of its first group
    uint32_t entries = 0;
    bool footer_damaged = false;
    bool unreadable = false;
    uint8_t ends_ended = 0;
  };
  // A footer that was asked for. The n-th of order_ has slot n % kFootersAhead.
  struct Slot {
    bool ended = false;
    bool good = false;
  };

  void OnIoEnd(uint64_t cookie, const IoResult& result) override;
  void StartLooks();
  void TakeLook(uint32_t segment, bool last, const IoResult& result,
                absl::Span<const std::byte> sector);
  void Order();
  bool Tell(RecoverySink& sink);
  void AskForFooters();
  bool OpenFooter();
  bool TellFooter(RecoverySink& sink);
  bool Scan(RecoverySink& sink);
  void NextSegment();
  uint64_t FooterBytes(uint32_t segment) const {
    return log_format::FooterSectors(segments_[segment].entries) * kSectorBytes;
  }
  absl::Span<std::byte> LookSector(uint32_t index) const {
    return buffer_.subspan(index * kSectorBytes, kSectorBytes);
  }
  absl::Span<std::byte> SlotBytes(size_t nth, uint64_t bytes) const;

  const LogGeometry geometry_;
  IoScheduler& scheduler_;
  const absl::Span<std::byte> buffer_;
  Phase phase_ = Phase::kLook;
  std::vector<Segment> segments_;
  RecoveryCounters counters_;
  // kLook
  std::vector<Look> looks_;
  uint64_t ends_asked_ = 0;  // two per segment
  uint64_t ends_ended_ = 0;
  std::vector<uint32_t> free_sectors_;  // of the buffer
  // kTell
  std::vector<uint32_t> order_;  // segments by generation
  size_t at_ = 0;                // of order_: being told
  size_t asked_ = 0;             // of order_: footers before it were asked for
  size_t footers_in_flight_ = 0;
  std::array<Slot, kFootersAhead> slots_;
  absl::Span<const log_format::Entry> entries_;  // of the footer that is being told
  size_t told_ = 0;                              // of entries_
  SegmentScan scan_;
  bool scanning_ = false;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_LOG_RECOVERY_H_
