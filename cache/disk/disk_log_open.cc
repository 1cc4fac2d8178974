// How a log comes up: superblocks, then recovery.
#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/status.h"
#include "cache/disk/disk_log.h"
#include "cache/disk/disk_log_cookie.h"

namespace cairn {

using log_format::Superblock;

void DiskLog::Fail(absl::Status why) {
  state_ = State::kFailed;
  failure_ = std::move(why);
  Log(LogLevel::kError, "log_failed", {{"path", options_.path}, {"why", failure_.message()}});
}

void DiskLog::ReadSuperblocks() {
  const absl::Status status =
      scheduler_.Read(geometry_.device, geometry_.offset_bytes, superblock_pages(), *this,
                      LogCookie(LogIo::kSuperblockRead, 0));
  if (!status.ok()) Fail(status);
}

void DiskLog::TakeSuperblocks(const IoResult& result) {
  if (!result.ok()) {
    return Fail(
        FromErrno(result.error_number,
                  absl::StrCat(options_.path, ": read the superblock; is the drive there?")));
  }
  const absl::StatusOr<Superblock> found = NewestSuperblock();
  if (absl::IsNotFound(found.status())) {
    MakeSuperblock();
    for (uint32_t i = 0; i < geometry_.segments; ++i) free_.push_back(i);
    superblock_dirty_ = true;
    state_ = State::kReady;
    return;
  }
  if (!found.ok()) return Fail(found.status());
  if (const absl::Status ours = CheckOurs(*found); !ours.ok()) return Fail(ours);
  superblock_ = *found;
  superblock_.incarnation = options_.incarnation;
  superblock_.segments = geometry_.segments;  // the device may have grown
  geometry_.log = superblock_.log;
  superblock_dirty_ = true;
  BeginRecovery();
}

// Of the two copies the newer that can be believed.
absl::StatusOr<Superblock> DiskLog::NewestSuperblock() const {
  const auto first = log_format::DecodeSuperblock(superblock_pages().first(kSectorBytes));
  const auto second = log_format::DecodeSuperblock(superblock_pages().last(kSectorBytes));
  for (const auto* copy : {&first, &second}) {
    if (absl::IsFailedPrecondition(copy->status())) {
      return absl::FailedPreconditionError(
          absl::StrCat(options_.path, ": ", copy->status().message()));
    }
  }
  if (first.ok() && second.ok()) return first->sequence > second->sequence ? first : second;
  if (first.ok()) return first;
  if (second.ok()) return second;
  if (absl::IsNotFound(first.status()) && absl::IsNotFound(second.status())) return first;
  return absl::DataLossError(
      absl::StrCat(options_.path,
                   ": both superblocks are damaged; remove the file, or overwrite the first MiB "
                   "of the device, to begin an empty log"));
}

absl::Status DiskLog::CheckOurs(const Superblock& found) const {
  if (found.node != options_.node) {
    return absl::FailedPreconditionError(absl::StrCat(
        options_.path, " belongs to node ", HexEncode(found.node.bytes), " (cluster ",
        HexEncode(found.cluster.bytes), "), this is node ", HexEncode(options_.node.bytes),
        "; give each node its own drive and state folder, or remove the file to begin anew"));
  }
  if (found.segment_bytes != geometry_.segment_bytes || found.segments > geometry_.segments ||
      found.partitions != options_.partitions || found.partition != options_.partition ||
      found.log_offset != geometry_.offset_bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.path, " was made as log ", uint16_t{found.partition}, " of ",
                     uint16_t{found.partitions}, " with ", uint32_t{found.segments},
                     " segments of ", uint64_t{found.segment_bytes},
                     " bytes; set tier.nvme.segment_bytes, capacity and reactors "
                     "as they were, or remove the file to begin anew"));
  }
  return absl::OkStatus();
}

void DiskLog::MakeSuperblock() {
  random_.Fill(absl::MakeSpan(geometry_.log.bytes));
  superblock_.partition = options_.partition;
  superblock_.partitions = options_.partitions;
  superblock_.node = options_.node;
  superblock_.log = geometry_.log;
  superblock_.incarnation = options_.incarnation;
  superblock_.log_offset = geometry_.offset_bytes;
  superblock_.segment_bytes = geometry_.segment_bytes;
  superblock_.segments = geometry_.segments;
}

void DiskLog::SetCluster(const ClusterId& cluster) {
  if (superblock_.cluster == cluster) return;
  superblock_.cluster = cluster;
  superblock_dirty_ = true;
}

// Over the older copy, so that a torn write leaves the newer one.
void DiskLog::WriteSuperblock() {
  superblock_.sequence = superblock_.sequence + 1;
  const uint64_t at = superblock_.sequence % log_format::kSuperblocks * kSectorBytes;
  const absl::Span<std::byte> page = superblock_pages().subspan(at, kSectorBytes);
  log_format::EncodeSuperblock(superblock_, page);
  superblock_busy_ = scheduler_
                         .Write(geometry_.device, geometry_.offset_bytes + at, page, *this,
                                LogCookie(LogIo::kSuperblockWrite, 0))
                         .ok();
  superblock_dirty_ = !superblock_busy_;
}

void DiskLog::EndSuperblockWrite(bool flush_ended, const IoResult& result) {
  const bool flushing =
      result.ok() && !flush_ended &&
      scheduler_.Flush(geometry_.device, *this, LogCookie(LogIo::kSuperblockFlush, 0)).ok();
  if (flushing) return;
  superblock_busy_ = false;
  if (result.ok()) return;
  // What is here can still be read.
  ++counters_.superblock_errors;
  read_only_ = true;
  Log(LogLevel::kError, "log_read_only",
      {{"path", options_.path},
       {"why", FromErrno(result.error_number, "write the superblock").message()}});
}

void DiskLog::BeginRecovery() {
  state_ = State::kRecovering;
  recovery_ = std::make_unique<LogRecovery>(geometry_, scheduler_, buffers_[2].bytes(), verifier_);
}

void DiskLog::EndRecovery() {
  std::vector<std::pair<uint64_t, uint32_t>> by_age;
  for (uint32_t i = 0; i < geometry_.segments; ++i) {
    const LogRecovery::Segment& found = recovery_->segments()[i];
    if (found.generation == 0) {
      free_.push_back(i);
      continue;
    }
    segments_[i] = {SegmentState::kSealed, found.generation, found.sealed ? found.entries : 0,
                    segments_[i].reads};
    next_generation_ = std::max(next_generation_, found.generation);
    by_age.emplace_back(found.generation, i);
  }
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [generation, segment] : by_age) sealed_.push_back(segment);
  recovery_counters_ = recovery_->counters();
  recovery_.reset();
  buffers_.pop_back();
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
