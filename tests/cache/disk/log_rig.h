// A DiskLog on a simulated drive, the owner that it reports to, and a model of what was written:
// every record told or read is compared with what was appended there.
#ifndef CAIRN_TESTS_CACHE_DISK_LOG_RIG_H_
#define CAIRN_TESTS_CACHE_DISK_LOG_RIG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "cache/disk/aligned_buffer.h"
#include "cache/disk/disk_log.h"
#include "cache/disk/record_codec.h"
#include "transport/sim/sim_scheduler.h"
#include "transport/sim/sim_storage.h"

namespace cairn {

inline constexpr uint64_t kMiB = 1u << 20;

// A record that was appended, or told by recovery.
struct LogRecord {
  log_format::Entry entry;
  Place place;
  uint64_t generation = 0;
  bool sealed = false;       // its seal was reported
  bool freed = false;        // its segment was given back
  bool overwritten = false;  // and begun anew
};

enum class ReadOutcome {
  kGood,
  kDamaged,  // bytes came, but not the right ones, or not all
  kError,
};

class LogRig final : public LogOwner {
 public:
  struct Options {
    uint64_t seed = 1;
    uint32_t segments = 5;
    uint64_t segment_bytes = kMiB;
    std::optional<DiskKey> key;
  };

  explicit LogRig(const Options& options);
  ~LogRig() override;

  // A life of the process. Boot reads nothing yet; Start waits until it is ready or has failed.
  void Boot();
  bool Start();
  void Kill();
  void CutPower();
  void Restart() { Kill(), Start(); }

  DiskLog& log() { return *log_; }
  IoScheduler& io() { return *io_; }
  SimDevice& drive() { return storage_.device(kPath); }
  SimScheduler& scheduler() { return scheduler_; }
  LogOptions& log_options() { return log_options_; }  // of the next life

  // Whatever is due, then the next event of the world, at most a millisecond on.
  void Step();
  // False: not within a simulated minute.
  bool RunUntil(const std::function<bool()>& done);
  void RunFor(absl::Duration duration);

  // Block `number`. The first waits for room, the second takes a no.
  Place Append(uint64_t number, uint32_t length);
  bool TryAppend(uint64_t number, uint32_t length);
  // Seals what was appended and waits.
  void Seal();
  void Free(uint32_t segment);
  // From the device, or from memory where it is still there. Right bytes or none: else the test
  // fails.
  ReadOutcome Read(const LogRecord& record);
  void StartRead(const LogRecord& record);  // its outcome goes to outcomes
  std::vector<log_format::Entry> ReadEntries(uint32_t segment);

  // What recovery did not tell is not asked for.
  void ForgetUntold();
  std::string Describe(const LogRecord& record) const;

  // Of all lives.
  const std::vector<LogRecord>& appended() const { return appended_; }
  LogRecord* Find(Place place, uint64_t generation);
  std::vector<LogRecord> LiveRecords() const;  // sealed, neither freed nor overwritten
  // Of this life.
  std::vector<LogRecord> told;
  std::vector<uint32_t> sealed_segments;
  std::vector<int> lost_errors;
  std::vector<ReadOutcome> outcomes;
  std::function<void(const LogRecord& told)> on_told;

 private:
  struct PendingRead {
    LogRecord record;
    std::unique_ptr<AlignedBuffer> memory;
  };

  static constexpr char kPath[] = "nvme0";

  void OnRecovered(const log_format::Entry& entry, Place place) override;
  void OnSegmentLost(uint32_t segment, absl::Span<const log_format::Entry> entries,
                     int error_number) override;
  void OnSegmentSealed(uint32_t segment) override;
  void OnRead(uint64_t cookie, const IoResult& result) override;
  void OnEntries(uint32_t segment,
                 absl::StatusOr<absl::Span<const log_format::Entry>> entries) override;
  ReadOutcome Judge(const LogRecord& record, absl::Span<std::byte> stored);

  SimScheduler scheduler_;
  SeededRandom random_;
  int wakes_ = 0;
  SimStorage storage_;
  RecordCodec codec_;
  LogOptions log_options_;
  std::unique_ptr<IoScheduler> io_;
  std::unique_ptr<DiskLog> log_;
  std::unique_ptr<BlockQueue> queue_;  // dies first
  std::vector<LogRecord> appended_;
  std::map<std::tuple<uint32_t, uint64_t, uint32_t>, size_t> index_;  // segment, generation, sector
  uint64_t next_cookie_ = 0;
  std::map<uint64_t, PendingRead> reads_;
  std::optional<std::vector<log_format::Entry>> entries_;
};

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_DISK_LOG_RIG_H_
