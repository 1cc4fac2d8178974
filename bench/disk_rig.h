// What the rows of the NVMe tier run: a log in a file beside the program, and fio in another.
#ifndef CAIRN_BENCH_DISK_RIG_H_
#define CAIRN_BENCH_DISK_RIG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/block_queue.h"
#include "cache/disk/disk_log.h"
#include "cache/disk/io_scheduler.h"
#include "cache/disk/record_codec.h"

namespace cairn::bench {

// In the build folder, gone with its owner.
class BenchFile {
 public:
  explicit BenchFile(const std::string& name);
  BenchFile(const BenchFile&) = delete;
  BenchFile& operator=(const BenchFile&) = delete;
  ~BenchFile();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct StoredRecord {
  log_format::Entry entry;
  Place place;
};

// One thread, which waits for the device as a reactor does.
class DiskRig final : public LogOwner {
 public:
  struct Options {
    std::string path;
    uint64_t segments = 16;
    bool preallocate = true;
  };

  // Up and recovered; recovery_seconds() tells how long that took.
  static absl::StatusOr<std::unique_ptr<DiskRig>> Start(const Options& options);
  ~DiskRig() override;

  // Appends `count` records of this length, giving back the oldest segments, until all are sealed.
  // Returns bytes of payload per second.
  absl::StatusOr<double> Write(uint64_t count, uint32_t length);
  // Random records that are there, `depth` at a time, compared with their checksums. As above.
  absl::StatusOr<double> Read(uint64_t count, size_t depth);
  // Footers of records of 4 KiB in all segments, payloads never written.
  absl::Status WriteFooters();

  double recovery_seconds() const { return recovery_seconds_; }
  uint64_t recovered() const { return recovered_; }

 private:
  DiskRig() : codec_(std::nullopt) {}
  absl::Status Open(const Options& options);
  // One round of a reactor that has nothing else to do.
  void Step();
  template <typename Done>
  absl::Status RunUntil(const Done& done);

  void OnRecovered(const log_format::Entry& entry, Place place) override;
  void OnSegmentLost(uint32_t segment, absl::Span<const log_format::Entry> entries,
                     int error_number) override;
  void OnSegmentSealed(uint32_t) override {}
  void OnRead(uint64_t cookie, const IoResult& result) override;
  void OnEntries(uint32_t, absl::StatusOr<absl::Span<const log_format::Entry>>) override {}

  RecordCodec codec_;
  std::unique_ptr<IoScheduler> io_;
  std::unique_ptr<DiskLog> log_;
  std::vector<AlignedBuffer> buffers_;
  std::unique_ptr<BlockQueue> queue_;  // dies first
  std::vector<StoredRecord> stored_;
  std::vector<StoredRecord> reading_;  // by buffer
  std::vector<size_t> free_buffers_;
  uint64_t next_number_ = 0;
  uint64_t reads_good_ = 0;
  uint64_t recovered_ = 0;
  uint64_t recovered_keys_ = 0;  // their sum: each record is looked at
  double recovery_seconds_ = 0;
  int error_number_ = 0;
};

// Bytes per second of fio on a file of its own, with direct access through io_uring. rw: `randread`
// or `write`. kNotFound: there is no fio.
absl::StatusOr<double> RunFio(const std::string& path, const std::string& rw, uint64_t file_bytes,
                              uint64_t moved_bytes, size_t depth);

}  // namespace cairn::bench

#endif  // CAIRN_BENCH_DISK_RIG_H_
