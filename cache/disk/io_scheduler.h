// Shares one block queue among the logs of a reactor: reads before writes, large transfers in
// chunks so that a write never keeps a read waiting for long, a share of the queue for each device
// so that one that hangs holds up no other, and completions that are believed only once and only by
// who is still waiting for them.
#ifndef CAIRN_CACHE_DISK_IO_SCHEDULER_H_
#define CAIRN_CACHE_DISK_IO_SCHEDULER_H_

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include <absl/status/status.h>
#include <absl/types/span.h>

#include "base/block_queue.h"
#include "base/clock.h"

namespace cairn {

inline constexpr uint64_t kChunkBytes = 1u << 20;  // of a transfer; a drive writes it in about 1 ms
inline constexpr size_t kOperationsMax = 4096;     // waiting or under way; then kResourceExhausted
// Chunks and flushes under way on one device. More reads than this do not make a drive faster.
inline constexpr uint32_t kReadChunksMax = 56;
inline constexpr uint32_t kWriteChunksMax = 8;
inline constexpr uint32_t kWriteChunksBesideReadsMax = 1;  // while somebody waits for a read
inline constexpr uint64_t kWriteBytesInFlightMax = kWriteChunksMax * kChunkBytes;
static_assert((kReadChunksMax + kWriteChunksMax) * kDevicesMax <= kIosInFlightMax);
static_assert(kIoBytesMax / kChunkBytes <= 64);  // chunks of a transfer are bits of a word

struct IoResult {
  int error_number = 0;  // 0 and `whole`: done
  bool whole = false;    // every byte was moved
  absl::Duration taken;

  bool ok() const { return error_number == 0 && whole; }
  // When it is not ok: a transfer that ended early is an I/O error.
  int ErrorNumber() const { return error_number != 0 ? error_number : EIO; }
};

class IoClient {
 public:
  virtual ~IoClient() = default;
  // Once per operation, from within IoScheduler::Poll: the memory is the client's again. May start
  // other operations.
  virtual void OnIoEnd(uint64_t cookie, const IoResult& result) = 0;
};

struct IoCounters {
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;  // what the device was told to write
  uint64_t errors = 0;
  uint64_t short_transfers = 0;
  uint64_t strange_ends = 0;  // completions that nobody waited for
};

// One thread. No allocation per operation.
class IoScheduler {
 public:
  // They outlive the scheduler, and so do clients and memory of operations that have not ended:
  // destroy the queue first, then nothing touches any memory.
  IoScheduler(BlockQueue& queue, Clock& clock);

  // Offsets, sizes and addresses are multiples of kSectorBytes; memory at most kIoBytesMax.
  // kResourceExhausted: kOperationsMax.
  absl::Status Read(DeviceId device, uint64_t offset_bytes, absl::Span<std::byte> memory,
                    IoClient& client, uint64_t cookie);
  absl::Status Write(DeviceId device, uint64_t offset_bytes, absl::Span<std::byte> memory,
                     IoClient& client, uint64_t cookie);
  // Covers the writes that have ended. One at a time per device: when it ends well, all that ended
  // before it was asked for is durable if failed_flushes() is what it was when the first of that
  // was written, and otherwise in doubt. A device that fails a flush may forget what anybody wrote
  // since the last one, and the next flush then succeeds with nothing to do.
  absl::Status Flush(DeviceId device, IoClient& client, uint64_t cookie);
  uint64_t failed_flushes(DeviceId device) const {
    return devices_[static_cast<size_t>(device)].failed_flushes;
  }

  // Returns how many operations ended.
  size_t Poll();

  bool idle() const { return free_.size() == kOperationsMax; }
  // What this device was told to write, and has answered.
  uint64_t written_bytes(DeviceId device) const {
    return devices_[static_cast<size_t>(device)].written_bytes;
  }
  size_t reads_pending() const { return reads_pending_; }
  const IoCounters& counters() const { return counters_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kBatchMax = 64;  // requests given to the queue at once

  struct Operation {
    IoClient* client = nullptr;  // nullptr: free
    uint64_t cookie = 0;
    IoKind kind = IoKind::kRead;
    DeviceId device{};
    uint64_t offset_bytes = 0;
    absl::Span<std::byte> memory;
    uint64_t unsent_bytes = 0;
    uint64_t chunks_in_flight = 0;  // bit i: chunk i
    uint32_t generation = 0;
    uint32_t next = kNone;  // in its line
    int error_number = 0;
    bool short_transfer = false;
    Instant begun;
  };
  // Operations with something to send, first come first served.
  struct Line {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };
  struct Device {
    Line reads;
    Line writes;                 // and flushes
    uint32_t reads_pending = 0;  // operations, sent or not
    uint32_t read_chunks = 0;    // under way
    uint32_t write_chunks = 0;
    bool flushing = false;
    uint64_t failed_flushes = 0;
    uint64_t written_bytes = 0;
  };

  absl::Status Begin(Operation operation);
  Device& DeviceOf(const Operation& operation) {
    return devices_[static_cast<size_t>(operation.device)];
  }
  void SendAll();
  void Send(Device& device);
  bool MayWrite(const Device& device) const;
  // Of the line's first operation one chunk more, or its flush. False: the queue is full.
  bool StageChunk(Line& line);
  void SubmitBatch();
  void TakeEnd(const IoEnd& end);
  void Finish(uint32_t index);
  uint64_t ChunkBytesOf(const Operation& operation, uint32_t chunk) const;

  BlockQueue& queue_;
  Clock& clock_;
  std::vector<Operation> operations_;
  std::vector<uint32_t> free_;
  std::array<Device, kDevicesMax> devices_;
  std::array<Io, kBatchMax> batch_;
  size_t batch_size_ = 0;
  size_t reads_pending_ = 0;  // of all devices
  size_t ended_ = 0;
  IoCounters counters_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_IO_SCHEDULER_H_
