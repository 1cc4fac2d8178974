#include "cache/disk/log_superblock.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/status.h"

namespace cairn {
namespace {

using log_format::kSuperblocks;
using log_format::Superblock;

constexpr absl::Duration kBackoffMin = absl::Seconds(1);
constexpr absl::Duration kBackoffMax = absl::Minutes(1);

}  // namespace

LogSuperblock::LogSuperblock(const LogOptions& options, const LogGeometry& geometry,
                             AlignedBuffer pages, IoScheduler& scheduler, Clock& clock,
                             Random& random)
    : options_(options),
      geometry_(geometry),
      pages_(std::move(pages)),
      scheduler_(scheduler),
      clock_(clock),
      random_(random),
      backoff_(kBackoffMin) {
  CAIRN_CHECK(pages_.bytes().size() == kSuperblocks * kSectorBytes);
}

void LogSuperblock::Poll() {
  if (state_ == State::kReading) return StartReads();
  if (state_ == State::kRefused) return;
  if (step_ == Step::kIdle && writes_wanted_ > 0 && clock_.Now() >= write_again_) Write();
  if (step_ == Step::kWritten &&
      scheduler_.Flush(geometry_.device, *this, static_cast<uint64_t>(Step::kFlushing)).ok()) {
    step_ = Step::kFlushing;
  }
}

// Each copy by itself: an error costs one of them.
void LogSuperblock::StartReads() {
  while (reads_started_ < kSuperblocks) {
    const uint64_t at = geometry_.offset_bytes + reads_started_ * kSectorBytes;
    const absl::Status status = scheduler_.Read(geometry_.device, at, Copy(reads_started_), *this,
                                                kReadCookie + reads_started_);
    if (!status.ok()) return;
    ++reads_started_;
  }
}

void LogSuperblock::OnIoEnd(uint64_t cookie, const IoResult& result) {
  if (cookie < kReadCookie) return EndWrite(static_cast<Step>(cookie), result);
  const uint64_t copy = cookie - kReadCookie;
  if (result.ok()) {
    copies_[copy] = log_format::DecodeSuperblock(Copy(copy));
  } else {
    copies_[copy] = FromErrno(result.ErrorNumber(), "read the superblock; is the drive there?");
  }
  if (++reads_ended_ == kSuperblocks) Decide();
}

void LogSuperblock::Decide() {
  const absl::StatusOr<Superblock> newest = Newest();
  if (absl::IsNotFound(newest.status())) return Make();
  if (!newest.ok()) return Refuse(newest.status());
  if (const absl::Status ours = CheckOurs(*newest); !ours.ok()) return Refuse(ours);
  content_ = *newest;
  content_.incarnation = options_.incarnation;
  content_.segments = geometry_.segments;  // the device may have grown
  // The copy that is not believed may have been the next one.
  const bool both = copies_[0].ok() && copies_[1].ok();
  next_sequence_ = content_.sequence + (both ? 1 : 3);
  writes_wanted_ = 1;
  state_ = State::kFound;
}

// Of the two copies the newer that can be believed. kNotFound: both are zero.
absl::StatusOr<Superblock> LogSuperblock::Newest() const {
  const auto& [first, second] = copies_;
  for (const auto* copy : {&first, &second}) {
    if (absl::IsFailedPrecondition(copy->status())) return copy->status();  // a newer format
  }
  if (first.ok() && second.ok()) return first->sequence > second->sequence ? first : second;
  if (first.ok()) return first;
  if (second.ok()) return second;
  if (absl::IsNotFound(first.status()) && absl::IsNotFound(second.status())) return first;
  if (absl::IsInternal(first.status()) && absl::IsInternal(second.status())) return first;
  return absl::DataLossError(absl::StrCat(
      "both superblocks are damaged, or something else lies there (", first.status().message(),
      "; ", second.status().message(),
      "); remove the file, or write zeros over the first MiB of the device, to begin an empty "
      "log"));
}

absl::Status LogSuperblock::CheckOurs(const Superblock& found) const {
  if (found.node != options_.node) {
    return absl::FailedPreconditionError(absl::StrCat(
        "belongs to node ", HexEncode(found.node.bytes), " (cluster ",
        HexEncode(found.cluster.bytes), "), this is node ", HexEncode(options_.node.bytes),
        "; give each node its own drive and state folder, or remove the file to begin anew"));
  }
  if (found.segment_bytes != geometry_.segment_bytes || found.segments > geometry_.segments ||
      found.partitions != options_.partitions || found.partition != options_.partition ||
      found.log_offset != geometry_.offset_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        "was made as log ", uint16_t{found.partition}, " of ", uint16_t{found.partitions}, " at ",
        uint64_t{found.log_offset}, " with ", uint32_t{found.segments}, " segments of ",
        uint64_t{found.segment_bytes}, " bytes, but is now to be log ", options_.partition, " of ",
        options_.partitions, " at ", geometry_.offset_bytes, " with ", geometry_.segments, " of ",
        geometry_.segment_bytes,
        "; set nvme_segment_bytes, nvme_bytes and reactors as they were, or remove the file to "
        "begin anew"));
  }
  return absl::OkStatus();
}

void LogSuperblock::Make() {
  random_.Fill(absl::MakeSpan(content_.log.bytes));
  content_.partition = options_.partition;
  content_.partitions = options_.partitions;
  content_.node = options_.node;
  content_.incarnation = options_.incarnation;
  content_.log_offset = geometry_.offset_bytes;
  content_.segment_bytes = geometry_.segment_bytes;
  content_.segments = geometry_.segments;
  writes_wanted_ = kSuperblocks;
  state_ = State::kNew;
}

void LogSuperblock::Refuse(const absl::Status& why) {
  state_ = State::kRefused;
  failure_ = absl::Status(why.code(), absl::StrCat(options_.path, ": ", why.message()));
}

void LogSuperblock::SetCluster(const ClusterId& cluster) {
  if (content_.cluster == cluster) return;
  content_.cluster = cluster;
  // One under way may have left with the old cluster.
  writes_wanted_ = std::max(writes_wanted_, step_ == Step::kIdle ? 1u : 2u);
}

// Over the older copy: whatever becomes of it, the newer one stands.
void LogSuperblock::Write() {
  const uint64_t copy = next_sequence_ % kSuperblocks;
  Superblock superblock = content_;
  superblock.sequence = next_sequence_;
  log_format::EncodeSuperblock(superblock, Copy(copy));
  const bool started = scheduler_
                           .Write(geometry_.device, geometry_.offset_bytes + copy * kSectorBytes,
                                  Copy(copy), *this, static_cast<uint64_t>(Step::kWriting))
                           .ok();
  if (!started) return;
  step_ = Step::kWriting;
  failed_flushes_ = scheduler_.failed_flushes(geometry_.device);
}

// A flush that failed, ours or another's, is not tried again and believed: the sector is written
// anew.
void LogSuperblock::EndWrite(Step step, const IoResult& result) {
  if (!result.ok() || scheduler_.failed_flushes(geometry_.device) != failed_flushes_) {
    step_ = Step::kIdle;
    ++write_errors_;
    write_again_ = clock_.Now() + backoff_;
    backoff_ = std::min(2 * backoff_, kBackoffMax);
    // What is here can still be read.
    Log(LogLevel::kError, "superblock_not_written",
        {{"path", options_.path},
         {"why", FromErrno(result.ErrorNumber(), "write the superblock").message()}});
    return;
  }
  if (step == Step::kWriting) {
    step_ = Step::kWritten;
    return;
  }
  step_ = Step::kIdle;
  backoff_ = kBackoffMin;
  content_.sequence = next_sequence_++;
  --writes_wanted_;
  const bool first = !durable_sequence_.has_value();
  if (first && writes_wanted_ == 0) durable_sequence_ = content_.sequence;
}

}  // namespace cairn
