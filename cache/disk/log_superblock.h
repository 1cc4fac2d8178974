// The two superblocks of a log: reads them, decides which counts and whether it is ours, and writes
// a new one in each life before anything else is written. Rules: FORMAT.md, "Superblocks".
#ifndef CAIRN_CACHE_DISK_LOG_SUPERBLOCK_H_
#define CAIRN_CACHE_DISK_LOG_SUPERBLOCK_H_

#include <array>
#include <cstdint>
#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/random.h"
#include "cache/disk/aligned_buffer.h"
#include "cache/disk/io_scheduler.h"
#include "cache/disk/log_geometry.h"
#include "cache/disk/log_options.h"
#include "proto/log_format.h"

namespace cairn {

// One thread.
class LogSuperblock final : private IoClient {
 public:
  enum class State {
    kReading,
    kNew,      // nothing was ever here: the log is empty
    kFound,    // its segments hold what earlier lives left
    kRefused,  // see failure(); not a byte is written
  };

  // pages: two sectors. geometry: all but the log's id. All references outlive this.
  LogSuperblock(const LogOptions& options, const LogGeometry& geometry, AlignedBuffer pages,
                IoScheduler& scheduler, Clock& clock, Random& random);

  void Poll();

  State state() const { return state_; }
  const absl::Status& failure() const { return failure_; }
  // From kNew and kFound on.
  const log_format::LogId& log() const { return content_.log; }
  const ClusterId& cluster() const { return content_.cluster; }
  void SetCluster(const ClusterId& cluster);

  // Its sequence once this life's superblock is durable, when segments may be begun. A device that
  // cannot be written never gets there; it is tried again and again.
  std::optional<uint64_t> durable_sequence() const { return durable_sequence_; }
  uint64_t write_errors() const { return write_errors_; }

 private:
  enum class Step : uint64_t { kIdle, kWriting, kWritten, kFlushing };
  static constexpr uint64_t kReadCookie = 16;  // and the next, one per copy

  absl::Span<std::byte> Copy(uint64_t index) const {
    return pages_.bytes().subspan(index * kSectorBytes, kSectorBytes);
  }
  void OnIoEnd(uint64_t cookie, const IoResult& result) override;
  void StartReads();
  void Decide();
  absl::StatusOr<log_format::Superblock> Newest() const;
  absl::Status CheckOurs(const log_format::Superblock& found) const;
  void Make();
  void Refuse(const absl::Status& why);
  void Write();
  void EndWrite(Step step, const IoResult& result);

  const LogOptions& options_;
  const LogGeometry& geometry_;
  const AlignedBuffer pages_;
  IoScheduler& scheduler_;
  Clock& clock_;
  Random& random_;
  State state_ = State::kReading;
  absl::Status failure_;
  uint64_t reads_started_ = 0;
  uint64_t reads_ended_ = 0;
  std::array<absl::StatusOr<log_format::Superblock>, log_format::kSuperblocks> copies_;
  log_format::Superblock content_;  // its sequence: of the last that is durable
  uint64_t next_sequence_ = 1;
  uint32_t writes_wanted_ = 0;
  Step step_ = Step::kIdle;
  uint64_t failed_flushes_ = 0;  // of the device, when the write began
  Instant write_again_{INT64_MIN};
  absl::Duration backoff_;
  std::optional<uint64_t> durable_sequence_;
  uint64_t write_errors_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_LOG_SUPERBLOCK_H_
