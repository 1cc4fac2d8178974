// A log of records on a part of a device: appended to, read from, and given back segment by
// segment. Knows nothing of keys' meaning, eviction or DRAM: whoever owns it decides what is kept.
//
// kOpening -> kRecovering -> kReady; kFailed from anywhere, for good. Reads work from the moment
// their record was told; appends when ready.
#ifndef CAIRN_CACHE_DISK_DISK_LOG_H_
#define CAIRN_CACHE_DISK_DISK_LOG_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/clock.h"
#include "base/random.h"
#include "cache/disk/io_scheduler.h"
#include "cache/disk/log_geometry.h"
#include "cache/disk/log_options.h"
#include "cache/disk/log_recovery.h"
#include "cache/disk/log_superblock.h"
#include "cache/disk/segment_writer.h"
#include "proto/identity.h"
#include "proto/log_format.h"

namespace cairn {

inline constexpr size_t kWritersPerLog = 2;  // one fills while the other is sealed
inline constexpr size_t kLogReadsMax = 1024;

struct LogCounters {
  uint64_t records_appended = 0;
  uint64_t payload_bytes_appended = 0;
  uint64_t segments_sealed = 0;
  uint64_t segments_lost = 0;  // a write or flush failed
  uint64_t superblock_errors = 0;
};

class LogOwner : public RecoverySink {
 public:
  // The device failed while this segment was written: none of its records is there. Valid during
  // the call.
  virtual void OnSegmentLost(uint32_t segment, absl::Span<const log_format::Entry> entries,
                             int error_number) = 0;
  virtual void OnSegmentSealed(uint32_t segment) = 0;
  // A Read ended. kOk: the bytes came; whether they are the right ones is for the owner to check.
  virtual void OnRead(uint64_t cookie, const IoResult& result) = 0;
  // A ReadEntries ended; the entries are valid during the call. Not ok: the footer cannot be read.
  virtual void OnEntries(uint32_t segment, absl::StatusOr<absl::Span<const log_format::Entry>>) = 0;
};

// One thread.
class DiskLog final : private IoClient {
 public:
  enum class State { kOpening, kRecovering, kReady, kFailed };

  // Memory of two segments. kInvalidArgument names the field. All references outlive the log.
  static absl::StatusOr<std::unique_ptr<DiskLog>> Create(const LogOptions& options,
                                                         IoScheduler& scheduler, Clock& clock,
                                                         Random& random, RecordVerifier& verifier,
                                                         LogOwner& owner);

  size_t Poll();

  // What it writes from, for BlockQueue::RegisterMemory. The same for all its life.
  std::vector<absl::Span<std::byte>> WriteMemory() const;

  State state() const { return state_; }
  // Of kFailed: what is wrong and what to do about it.
  const absl::Status& failure() const { return failure_; }
  const LogGeometry& geometry() const { return geometry_; }
  // Zero until SetCluster was called on this log in some life.
  const ClusterId& cluster() const { return superblock_->cluster(); }
  // Writes it into the superblock. When ready.
  void SetCluster(const ClusterId& cluster) { superblock_->SetCluster(cluster); }

  // Largest payload, as stored, that a segment can hold.
  uint64_t RecordBytesMax() const;
  // Whether Append would find room now. false: both writers are busy, no segment is free, the
  // device failed a moment ago, or its superblock cannot be written.
  bool CanAppend(uint64_t stored_bytes);
  // After CanAppend: the memory for the payload, entry.stored_bytes() long, to be filled at once.
  // entry: as FORMAT.md has it (a block that begins its run has no parent), but for the sector.
  absl::Span<std::byte> Append(const log_format::Entry& entry, Place* place);
  // Of the record's segment, for ciphers. 0: it holds nothing.
  uint64_t GenerationOf(uint32_t segment) const;
  // Seals what was appended, for a planned end.
  void Finish();
  bool quiet() const;

  // The payload if it is still in a writer's memory, else an empty span.
  absl::Span<const std::byte> Buffered(Place place, uint64_t stored_bytes) const;
  // memory: stored bytes rounded up to whole sectors. The place must have been told or appended,
  // and its segment not given back. kResourceExhausted: kLogReadsMax or the scheduler's bound.
  absl::Status Read(Place place, absl::Span<std::byte> memory, uint64_t cookie);

  size_t free_segments() const { return free_.size(); }
  // The sealed segment that was written first; false: none is.
  bool OldestSealed(uint32_t* segment) const;
  // For the owner to decide what is kept of it. kResourceExhausted: one is being read already.
  // kFailedPrecondition: it has no footer (a recovered tail whose footer could not be written).
  absl::Status ReadEntries(uint32_t segment);
  // Of a sealed one: none of its records is wanted any more. Reused when its reads have ended.
  void Free(uint32_t segment);

  const LogCounters& counters() const { return counters_; }
  const RecoveryCounters& recovery_counters() const { return recovery_counters_; }
  double recovery_progress() const { return recovery_ == nullptr ? 1 : recovery_->progress(); }

 private:
  enum class SegmentState : uint8_t { kFree, kWriting, kSealed, kLeaving };
  struct Segment {
    SegmentState state = SegmentState::kFree;
    uint64_t generation = 0;
    uint32_t entries = 0;  // in its footer; 0: it has none
    uint32_t reads = 0;
  };
  struct PendingRead {
    uint32_t segment = 0;
    uint64_t cookie = 0;
  };

  DiskLog(const LogOptions& options, IoScheduler& scheduler, Clock& clock, RecordVerifier& verifier,
          LogOwner& owner);
  // disk_log_open.cc
  absl::Status Build(Random& random);
  void TakeSuperblock();
  void EndRecovery();
  // disk_log.cc
  void OnIoEnd(uint64_t cookie, const IoResult& result) override;
  void TendWriter(SegmentWriter& writer);
  SegmentWriter* WriterIn(SegmentWriter::State state) const;
  // Of the next segment; nullopt: none may be begun.
  std::optional<uint64_t> NextGeneration() const;
  void EndRead(size_t read, const IoResult& result);
  void TakeEntries(const IoResult& result);
  void Leave(uint32_t segment);
  void FreeIfQuiet(uint32_t segment);

  const LogOptions options_;
  IoScheduler& scheduler_;
  Clock& clock_;
  RecordVerifier& verifier_;
  LogOwner& owner_;
  LogGeometry geometry_;
  State state_ = State::kOpening;
  absl::Status failure_;
  std::unique_ptr<LogSuperblock> superblock_;
  std::optional<AlignedBuffer> recovery_buffer_;  // while it runs
  std::unique_ptr<LogRecovery> recovery_;
  RecoveryCounters recovery_counters_;
  std::vector<Segment> segments_;
  std::deque<uint32_t> free_;
  std::deque<uint32_t> sealed_;  // oldest first
  std::vector<std::unique_ptr<SegmentWriter>> writers_;
  uint64_t last_generation_ = 0;
  Instant append_again_{INT64_MIN};
  absl::Duration append_backoff_;
  std::vector<PendingRead> reads_;
  std::vector<uint32_t> free_reads_;
  std::optional<AlignedBuffer> entry_pages_;  // a segment's footer
  bool entries_busy_ = false;
  uint32_t entries_segment_ = 0;
  LogCounters counters_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_DISK_LOG_H_
