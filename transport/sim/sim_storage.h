// The drives of one host: sectors in memory that survive the process, and lie when told to.
//
// What the process wrote and did not flush is volatile: a power cut keeps any subset of those
// sectors. Of what was under way when the process died, any subset is written. A device that is
// healthy tells the truth; every lie is a setting.
#ifndef CAIRN_TRANSPORT_SIM_SIM_STORAGE_H_
#define CAIRN_TRANSPORT_SIM_SIM_STORAGE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/block_queue.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {

struct SimDeviceFaults {
  absl::Duration latency = absl::Microseconds(80);  // of a request, and as much again at random
  uint64_t bytes_per_second = 2'000'000'000;
  int read_errno = 0;   // every read fails so: EIO, ENODEV
  int write_errno = 0;  // every write and flush: EIO, ENOSPC, EROFS, ENODEV
  uint32_t read_error_ppm = 0;
  uint32_t write_error_ppm = 0;        // EIO, and some of the sectors were written
  uint32_t flush_error_ppm = 0;        // EIO, and some of what was not durable is forgotten
  uint32_t short_read_ppm = 0;         // fewer bytes, no error
  uint32_t lost_write_ppm = 0;         // acknowledged and forgotten
  uint32_t misdirected_write_ppm = 0;  // lands on another sector of the device
  uint32_t rot_ppm = 0;                // a bit of what is read has flipped for good
  uint32_t repeated_end_ppm = 0;       // a completion comes twice, the second one late
};

// One thread, as all of the simulation.
class SimDevice {
 public:
  using Sector = std::array<std::byte, kSectorBytes>;

  SimDeviceFaults& faults() { return faults_; }
  uint64_t size_bytes() const { return size_bytes_; }
  void Grow(uint64_t bytes) { size_bytes_ = std::max(size_bytes_, bytes); }

  void Read(uint64_t offset_bytes, absl::Span<std::byte> out) const;
  void Write(uint64_t offset_bytes, absl::Span<const std::byte> bytes);
  // What was written so far is durable.
  void Flush() { durable_.clear(); }
  // Any subset of the volatile sectors is lost.
  void CutPower(Random& random);
  void FlipBit(uint64_t offset_bytes, int bit);
  // Reads of this sector fail with EIO until it is written.
  void BreakSector(uint64_t sector) { broken_.insert(sector); }
  bool IsBroken(uint64_t offset_bytes, uint64_t bytes) const;
  // Of sectors that were ever written.
  uint64_t written_sectors() const { return sectors_.size(); }

 private:
  uint64_t size_bytes_ = 0;
  SimDeviceFaults faults_;
  std::map<uint64_t, Sector> sectors_;  // by number; absent ones are zero
  std::map<uint64_t, Sector> durable_;  // what volatile sectors held at the last flush
  std::set<uint64_t> broken_;
};

// One thread. Outlives the queues it makes.
class SimStorage {
 public:
  // wake: called when a completion waits.
  SimStorage(SimScheduler& scheduler, std::function<void()> wake)
      : scheduler_(scheduler), wake_(std::move(wake)) {}

  std::unique_ptr<BlockQueue> CreateQueue();
  // Made at first use.
  SimDevice& device(const std::string& path) { return devices_[path]; }
  void CutPower();

 private:
  SimScheduler& scheduler_;
  const std::function<void()> wake_;
  std::map<std::string, SimDevice> devices_;
  std::set<std::string> open_paths_;  // by some queue
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_STORAGE_H_
