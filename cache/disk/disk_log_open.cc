// How a log comes up: superblocks, then recovery.
#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "base/log.h"
#include "base/status.h"
#include "cache/disk/disk_log.h"

namespace cairn {
namespace {

// Two being written, one being freed, one that holds something.
constexpr uint32_t kSegmentsMin = 4;

absl::Status Validate(const LogOptions& options) {
  const bool sane = options.segment_bytes >= log_format::kSegmentBytesMin &&
                    options.segment_bytes <= log_format::kSegmentBytesMax &&
                    options.segment_bytes % kSectorBytes == 0;
  if (!sane) {
    return absl::InvalidArgumentError(absl::StrCat("nvme_segment_bytes: ", options.segment_bytes,
                                                   " must be 1 MiB to 64 MiB in 4 KiB steps"));
  }
  const uint64_t least = log_format::kFirstSegmentOffset + kSegmentsMin * options.segment_bytes;
  if (options.size_bytes < least) {
    return absl::InvalidArgumentError(absl::StrCat(
        "nvme_bytes: ", FormatByteSize(options.size_bytes), " for reactor ", options.partition,
        " on ", options.path, " is less than the least, ", FormatByteSize(least),
        "; give at least ", FormatByteSize(least * options.partitions), " for all ",
        options.partitions, " reactors, or lower nvme_segment_bytes"));
  }
  return absl::OkStatus();
}

LogGeometry GeometryOf(const LogOptions& options) {
  const uint64_t room = options.size_bytes - log_format::kFirstSegmentOffset;
  LogGeometry geometry;
  geometry.device = options.device;
  geometry.offset_bytes = options.offset_bytes;
  geometry.segment_bytes = options.segment_bytes;
  geometry.segments = static_cast<uint32_t>(
      std::min<uint64_t>(room / options.segment_bytes, log_format::kSegmentsMax));
  return geometry;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiskLog>> DiskLog::Create(const LogOptions& options,
                                                         IoScheduler& scheduler, Clock& clock,
                                                         Random& random, RecordVerifier& verifier,
                                                         LogOwner& owner) {
  CAIRN_RETURN_IF_ERROR(Validate(options));
  auto log = std::unique_ptr<DiskLog>(new DiskLog(options, scheduler, clock, verifier, owner));
  CAIRN_RETURN_IF_ERROR(log->Build(random));
  return log;
}

absl::Status DiskLog::Build(Random& random) {
  geometry_ = GeometryOf(options_);
  segments_.resize(geometry_.segments);
  CAIRN_ASSIGN_OR_RETURN(AlignedBuffer pages,
                         AlignedBuffer::Create(log_format::kSuperblocks * kSectorBytes));
  superblock_ = std::make_unique<LogSuperblock>(options_, geometry_, std::move(pages), scheduler_,
                                                clock_, random);
  CAIRN_ASSIGN_OR_RETURN(
      AlignedBuffer entries,
      AlignedBuffer::Create(log_format::FooterSectors(geometry_.sectors()) * kSectorBytes));
  entry_pages_.emplace(std::move(entries));
  CAIRN_ASSIGN_OR_RETURN(AlignedBuffer recovery, AlignedBuffer::Create(geometry_.segment_bytes));
  recovery_buffer_.emplace(std::move(recovery));
  for (size_t i = 0; i < kWritersPerLog; ++i) {
    CAIRN_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(geometry_.segment_bytes));
    writers_.push_back(std::make_unique<SegmentWriter>(std::move(buffer), scheduler_, clock_));
  }
  superblock_->Poll();  // asks for the copies
  return absl::OkStatus();
}

void DiskLog::TakeSuperblock() {
  switch (superblock_->state()) {
    case LogSuperblock::State::kReading:
      return;
    case LogSuperblock::State::kRefused:
      state_ = State::kFailed;
      failure_ = superblock_->failure();
      Log(LogLevel::kError, "log_failed", {{"path", options_.path}, {"why", failure_.message()}});
      return;
    case LogSuperblock::State::kNew:
      geometry_.log = superblock_->log();
      for (uint32_t i = 0; i < geometry_.segments; ++i) free_.push_back(i);
      recovery_buffer_.reset();
      state_ = State::kReady;
      return;
    case LogSuperblock::State::kFound:
      geometry_.log = superblock_->log();
      recovery_ = std::make_unique<LogRecovery>(geometry_, scheduler_, recovery_buffer_->bytes(),
                                                verifier_);
      state_ = State::kRecovering;
      return;
  }
}

void DiskLog::EndRecovery() {
  std::vector<std::pair<uint64_t, uint32_t>> by_age;
  for (uint32_t i = 0; i < geometry_.segments; ++i) {
    const LogRecovery::Segment& found = recovery_->segments()[i];
    if (found.generation == 0) {
      free_.push_back(i);
      continue;
    }
    segments_[i] = {SegmentState::kSealed, found.generation, found.entries, segments_[i].reads};
    by_age.emplace_back(found.generation, i);
  }
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [generation, segment] : by_age) sealed_.push_back(segment);
  if (!by_age.empty()) last_generation_ = by_age.back().first;
  recovery_counters_ = recovery_->counters();
  recovery_.reset();
  recovery_buffer_.reset();
  state_ = State::kReady;
  Log(LogLevel::kInfo, "log_recovered",
      {{"path", options_.path},
       {"records", recovery_counters_.records},
       {"segments_sealed", recovery_counters_.segments_sealed},
       {"segments_scanned", recovery_counters_.segments_scanned},
       {"footers_damaged", recovery_counters_.footers_damaged},
       {"segments_unreadable", recovery_counters_.segments_unreadable},
       {"tails_torn", recovery_counters_.tails_torn},
       {"records_damaged", recovery_counters_.records_damaged}});
}

}  // namespace cairn
