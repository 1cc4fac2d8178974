// Assembles one segment in memory, exactly as it will stand on the drive, and writes it as it
// fills: records into groups, groups to the device, at the end the footer.
//
// The order that makes a seal mean something: all groups written, flush, footer written, flush.
// A failed write or flush abandons the segment, and so does a flush of the device that failed for
// another; nothing is tried again and believed.
#ifndef CAIRN_CACHE_DISK_SEGMENT_WRITER_H_
#define CAIRN_CACHE_DISK_SEGMENT_WRITER_H_

#include <cstdint>
#include <vector>

#include <absl/types/span.h>

#include "base/clock.h"
#include "cache/disk/aligned_buffer.h"
#include "cache/disk/io_scheduler.h"
#include "cache/disk/log_geometry.h"
#include "proto/log_format.h"

namespace cairn {

// A group goes to the device when it holds this much, or has waited this long.
inline constexpr uint64_t kGroupBytesWanted = 1u << 20;
inline constexpr absl::Duration kGroupWaitMax = absl::Milliseconds(50);

// One thread. Reused for segment after segment; no allocation after construction.
class SegmentWriter final : private IoClient {
 public:
  enum class State {
    kFree,     // no segment
    kFilling,  // takes records
    kSealing,  // full: groups, flush, footer, flush
    kSealed,   // durable: take note, then Release()
    kLost,     // the device failed: take note, then Release()
  };

  // scheduler and clock outlive the writer.
  SegmentWriter(AlignedBuffer buffer, IoScheduler& scheduler, Clock& clock);

  // From kFree: begins a segment. generation: greater than any before in this log.
  void Begin(const LogGeometry& geometry, uint32_t segment, uint64_t generation);
  // Whether another record of this size would fit.
  bool Fits(uint64_t stored_bytes) const;
  // In kFilling, when it Fits: where the payload lies in the buffer, for the caller to fill at
  // once; *place: where it will be on the drive. entry.sector is set here, the rest is as FORMAT.md
  // has it.
  absl::Span<std::byte> Append(log_format::Entry entry, Place* place);
  // In kFilling: takes no more and seals; without any record the segment stays as it is, kFree.
  void Finish();
  // Sends what has waited long enough.
  void Poll();
  // From kSealed or kLost.
  void Release();

  absl::Span<std::byte> memory() const { return buffer_.bytes(); }
  State state() const { return state_; }
  uint32_t segment() const { return segment_; }
  uint64_t generation() const { return generation_; }
  absl::Span<const log_format::Entry> entries() const { return entries_; }
  // errno of what made it kLost.
  int error_number() const { return error_number_; }
  // The payload of a record that this segment took; until Release().
  absl::Span<const std::byte> PayloadAt(Place place, uint64_t stored_bytes) const;
  // Every record appended so far is on the device, though not sealed.
  bool quiet() const { return next_sector_ == sent_sectors_ && writes_in_flight_ == 0; }

 private:
  enum class Step : uint64_t { kGroups, kDataFlush, kFooter, kSealFlush };

  void OnIoEnd(uint64_t cookie, const IoResult& result) override;
  void OpenGroup();
  bool GroupIsFull() const;
  void CloseGroup();
  void SendGroups();
  // The next step of sealing, when the one before has ended.
  void Seal();
  bool WriteFooter();
  void Fail(int error_number);
  absl::Span<std::byte> Sectors(uint64_t first, uint64_t count) const {
    return buffer_.bytes().subspan(first * kSectorBytes, count * kSectorBytes);
  }

  const AlignedBuffer buffer_;
  IoScheduler& scheduler_;
  Clock& clock_;
  LogGeometry geometry_;
  State state_ = State::kFree;
  uint32_t segment_ = 0;
  uint64_t generation_ = 0;
  uint64_t failed_flushes_ = 0;             // of the device, when the segment was begun
  std::vector<log_format::Entry> entries_;  // of the segment
  uint32_t next_sector_ = 0;                // behind the last record
  uint32_t group_sector_ = 0;               // of the open group's header
  size_t group_first_entry_ = 0;            // of entries_
  bool group_open_ = false;
  Instant group_opened_;
  uint32_t sent_sectors_ = 0;    // groups before it went to the scheduler
  uint32_t closed_sectors_ = 0;  // groups before it are whole
  size_t writes_in_flight_ = 0;
  Step step_ = Step::kGroups;  // of sealing: what ended last
  bool step_in_flight_ = false;
  int error_number_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_SEGMENT_WRITER_H_
