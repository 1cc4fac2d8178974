// A reactor's NVMe tier: one log per drive behind the shard. Takes what leaves DRAM, brings back
// what is asked for, gives segments back, and finds at the start what earlier lives left.
//
// A run lives on one drive, so that its blocks come back in order and a dead drive costs whole
// runs. P1: what is read is compared with its writer's checksum before anybody can see it.
#ifndef CAIRN_CACHE_FLASH_TIER_H_
#define CAIRN_CACHE_FLASH_TIER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/runtime.h"
#include "cache/admission/chain_admission.h"
#include "cache/admission/chain_table.h"
#include "cache/disk/device_breaker.h"
#include "cache/disk/disk_log.h"
#include "cache/disk/io_scheduler.h"
#include "cache/disk/record_codec.h"
#include "cache/shard.h"
#include "cache/shard_counters.h"

namespace cairn {

inline constexpr size_t kLoadsMax = 512;      // under way; then kOverload
inline constexpr size_t kStagingBuffers = 8;  // of encrypted loads and of rewrites
inline constexpr size_t kFreeSegmentsWanted = 2;

struct FlashTierOptions {
  struct Drive {
    std::string path;         // of this reactor alone
    uint64_t size_bytes = 0;  // of a regular file; 0: a block device, all of it
    // What may be written of it: so many bytes a day, or so often its size; both 0: no limit.
    uint64_t bytes_per_day = 0;
    double writes_per_day = 0;
  };
  std::vector<Drive> drives;  // 1 to 16
  uint64_t segment_bytes = 64u << 20;
  bool preallocate = true;
  NodeId node;
  uint64_t incarnation = 0;
  uint16_t partition = 0;  // the reactor's number
  uint16_t partitions = 1;
  std::optional<DiskKey> key;    // encrypts what is written
  ChainTable* chains = nullptr;  // of all reactors of the node; outlives the tier
};

enum class LoadStart {
  kStarted,   // OnLoaded follows; also for a block that is being loaded already
  kCapacity,  // nothing can be evicted for it
  kOverload,  // too many are under way
  kDrive,     // its drive has failed, or is too slow
  kDeadline,  // would not end in time
};

enum class LoadEnd {
  kLoaded,
  kChecksum,  // not what was stored: the copy is dropped
  kDrive,     // the drive could not read it
  kGone,      // its segment was given back before its turn came
};

class LoadListener {
 public:
  virtual ~LoadListener() = default;
  // Called from within Poll, once per started load; the block is pinned during the call.
  virtual void OnLoaded(BlockRef block, LoadEnd end) = 0;
};

// Read by other threads.
struct FlashCounters {
  Counter capacity_bytes;
  Counter written_bytes;  // what the drives were told to write
  Counter read_bytes;
  Counter drive_errors;
  Counter refused_blocks;  // left DRAM, and the drives had no time for them
  Counter admitted_blocks;
  Counter admitted_bytes;   // as stored
  Counter rejected_blocks;  // left DRAM, and the write budget is for others
  Counter rejected_bytes;
  Counter admitted_share_ppm;       // now: of what leaves DRAM, so much fits the write budget
  Counter write_budget_bytes;       // a day's; 0: no limit
  Counter write_budget_left_bytes;  // of the last 24 hours
  Counter damaged_records;          // wrong bytes, found when read
  Counter recovered_records;
  Counter recovery_dropped;  // records of an earlier life that could not be adopted
  Counter rewritten_blocks;
  Counter dropped_blocks;  // with the segment that held them
  Counter drives_failed;   // now
};

class FlashTier final : private VictimSink {
 public:
  // Opens the drives; logs that cannot be opened fail here, by name: kFailedPrecondition,
  // kInvalidArgument. What is on them comes into the shard during later Polls. shard (made with
  // flash_bytes) and runtime outlive the tier; the tier is the shard's sink while it lives.
  static absl::StatusOr<std::unique_ptr<FlashTier>> Create(const FlashTierOptions& options,
                                                           Shard& shard, Runtime& runtime);
  ~FlashTier() override;

  // Of a pinned block that is not in DRAM.
  LoadStart Load(BlockRef block, Instant deadline);
  // Returns the number of events; 0: idle.
  size_t Poll(LoadListener& listener);
  // Readable when Poll may have work, after Arm() returned true.
  int event_fd() const { return queue_->event_fd(); }
  bool Arm() { return done_.empty() && queue_->Arm(); }

  // Every log has read its superblock, or failed.
  bool opened() const;
  // Every log has told what it holds, or failed.
  bool recovered() const;
  // Seals what was written, for a planned end; sealed() when that has happened.
  void Finish();
  bool sealed() const;

  // The cluster that the drives were used in; zero: none yet.
  ClusterId cluster() const;
  void SetCluster(const ClusterId& cluster);
  // Of the first log that failed; kOk: none did.
  absl::Status failure() const;

  const FlashCounters& counters() const { return counters_; }

 private:
  class Drive;
  struct LoadOperation {
    BlockRef block = BlockRef::kNone;
    FlashPlace place;
    FlashBlock described;
    absl::Span<std::byte> slot;
    size_t staging = kStagingBuffers;  // kStagingBuffers: read into the slot itself
  };
  struct Rewrite {
    FlashBlock described;
    FlashPlace from;
    size_t staging = 0;
  };
  struct Admission {
    ChainAdmission chains;
    BlockKey asked;       // of the last WantsRun
    Instant figures_due;  // of the counters
  };
  struct Done {
    BlockRef block;
    LoadEnd end;
  };

  FlashTier(const FlashTierOptions& options, Shard& shard, Runtime& runtime,
            std::unique_ptr<BlockQueue> queue);
  absl::Status Build();
  void RegisterWriteMemory();

  // VictimSink: flash_admission.cc
  void OnStored(const PutIdentity& identity) override;
  void OnUsed(const BlockKey& key) override { admission_.chains.Used(key); }
  bool WantsRun(const FlashBlock& victim) override;
  bool Take(const FlashBlock& block, absl::Span<const std::byte> bytes, FlashPlace* place) override;
  double AdmittedShare() const;
  void UpdateBudgets();

  Drive& DriveOf(const BlockKey& run_key) const;
  log_format::Entry EntryOf(const FlashBlock& block, bool encrypted) const;
  bool Append(Drive& drive, const FlashBlock& block, absl::Span<const std::byte> bytes,
              FlashPlace* place);
  void StartStagedReads();
  bool StartRead(uint32_t index);
  bool CopyBuffered(uint32_t index);
  bool Verified(const FlashBlock& block, const FlashPlace& place, absl::Span<std::byte> stored);
  void EndLoad(size_t index, LoadEnd end);
  BlockRef DropLoad(size_t index, bool good);
  std::optional<size_t> TakeStaging();
  void UpdateCounters();

  // flash_reclaim.cc
  void Reclaim(Drive& drive);
  void TakeEntries(Drive& drive, uint32_t segment,
                   absl::StatusOr<absl::Span<const log_format::Entry>> entries);
  void StartRewrites(Drive& drive);
  void EndRewrite(Drive& drive, size_t index, const IoResult& result);

  const FlashTierOptions options_;
  Shard& shard_;
  Runtime runtime_;  // the caller keeps its members alive, not the struct
  RecordCodec codec_;
  Admission admission_;
  std::vector<AlignedBuffer> staging_;
  std::vector<size_t> free_staging_;
  std::unique_ptr<BlockQueue> queue_;  // dies before the memory that it moves
  IoScheduler scheduler_;
  std::vector<std::unique_ptr<Drive>> drives_;
  std::vector<LoadOperation> loads_;
  std::vector<uint32_t> free_loads_;
  std::deque<uint32_t> unstaged_;  // loads that wait for a staging buffer; at most kLoadsMax
  std::deque<Done> done_;          // at most kLoadsMax
  FlashCounters counters_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_FLASH_TIER_H_
