#include "transport/sim/sim_storage.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/check.h"

namespace cairn {
namespace {

// How late a repeated completion comes: when its memory has long been used for something else.
constexpr absl::Duration kRepeatDelayMax = absl::Milliseconds(20);

class SimQueue final : public BlockQueue {
 public:
  SimQueue(SimScheduler& scheduler, std::map<std::string, SimDevice>& devices,
           std::set<std::string>& open_paths, std::function<void()> wake)
      : scheduler_(scheduler), all_(devices), open_paths_(open_paths), wake_(std::move(wake)) {}

  // The process is gone: of each write that was under way some sectors reached the device.
  ~SimQueue() override {
    for (const auto& [serial, io] : *pending_) {
      if (io.kind == IoKind::kWrite) WriteSomeSectors(io);
    }
    pending_->clear();
    for (const std::string& path : opened_) open_paths_.erase(path);
  }

  absl::StatusOr<DeviceId> Open(const DeviceOptions& options) override {
    if (devices_.size() == kDevicesMax) return absl::ResourceExhaustedError(options.path);
    SimDevice& device = all_[options.path];
    if (device.faults().read_errno == ENODEV) return absl::NotFoundError(options.path);
    if (!open_paths_.insert(options.path).second) {
      return absl::FailedPreconditionError(
          absl::StrCat(options.path, " is in use by another process"));
    }
    opened_.push_back(options.path);
    device.Grow(options.size_bytes / kSectorBytes * kSectorBytes);
    devices_.push_back(&device);
    return DeviceId{static_cast<uint32_t>(devices_.size() - 1)};
  }
  uint64_t SizeBytes(DeviceId device) const override {
    return devices_[static_cast<size_t>(device)]->size_bytes();
  }
  void RegisterMemory(const std::vector<absl::Span<std::byte>>&) override {}
  int event_fd() const override { return -1; }
  bool Arm() override { return ended_.empty(); }

 private:
  SimDevice& DeviceOf(const Io& io) const { return *devices_[static_cast<size_t>(io.device)]; }

  absl::Status DoSubmit(absl::Span<const Io> requests) override {
    for (const Io& io : requests) {
      const uint64_t serial = ++serial_;
      pending_->emplace(serial, io);
      const SimDeviceFaults& faults = DeviceOf(io).faults();
      const absl::Duration moving = absl::Nanoseconds(1e9 * static_cast<double>(io.memory.size()) /
                                                      static_cast<double>(faults.bytes_per_second));
      After(faults.latency + moving + scheduler_.Between({}, faults.latency),
            [this, serial] { Perform(serial); });
    }
    return absl::OkStatus();
  }

  // Runs `event` unless this queue has died by then.
  template <typename Event>
  void After(absl::Duration delay, Event event) {
    scheduler_.After(delay, [alive = std::weak_ptr<Pending>(pending_), event] {
      if (!alive.expired()) event();
    });
  }

  void Perform(uint64_t serial) {
    const auto found = pending_->find(serial);
    CAIRN_CHECK(found != pending_->end());
    const Io io = found->second;
    pending_->erase(found);
    IoEnd end{io.tag, 0, 0};
    switch (io.kind) {
      case IoKind::kRead:
        Read(io, end);
        break;
      case IoKind::kWrite:
        Write(io, end);
        break;
      case IoKind::kFlush:
        Flush(io, end);
        break;
    }
    scheduler_.trace().Record(scheduler_.Now(), "io", static_cast<uint64_t>(io.kind),
                              io.offset_bytes, static_cast<uint64_t>(end.error_number));
    End(end);
    if (scheduler_.Chance(DeviceOf(io).faults().repeated_end_ppm)) {
      After(scheduler_.Between({}, kRepeatDelayMax), [this, end] { End(end); });
    }
  }

  void End(const IoEnd& end) {
    ended_.push_back(end);
    wake_();
  }

  void Read(const Io& io, IoEnd& end) {
    SimDevice& device = DeviceOf(io);
    const SimDeviceFaults& faults = device.faults();
    if (faults.read_errno != 0) return void(end.error_number = faults.read_errno);
    const bool broken = device.IsBroken(io.offset_bytes, io.memory.size());
    if (broken || scheduler_.Chance(faults.read_error_ppm)) return void(end.error_number = EIO);
    if (io.offset_bytes >= device.size_bytes()) return;
    if (scheduler_.Chance(faults.rot_ppm)) {
      device.FlipBit(io.offset_bytes + scheduler_.random().Below(io.memory.size()),
                     static_cast<int>(scheduler_.random().Below(8)));
    }
    uint64_t bytes = std::min<uint64_t>(io.memory.size(), device.size_bytes() - io.offset_bytes);
    if (scheduler_.Chance(faults.short_read_ppm)) bytes = scheduler_.random().Below(bytes);
    device.Read(io.offset_bytes, io.memory.first(bytes));
    end.bytes = static_cast<uint32_t>(bytes);
  }

  void Write(const Io& io, IoEnd& end) {
    SimDevice& device = DeviceOf(io);
    const SimDeviceFaults& faults = device.faults();
    if (faults.write_errno != 0) return void(end.error_number = faults.write_errno);
    if (io.offset_bytes + io.memory.size() > device.size_bytes()) {
      return void(end.error_number = ENOSPC);
    }
    if (scheduler_.Chance(faults.write_error_ppm)) {
      WriteSomeSectors(io);
      return void(end.error_number = EIO);
    }
    end.bytes = static_cast<uint32_t>(io.memory.size());
    if (scheduler_.Chance(faults.lost_write_ppm)) return;
    uint64_t offset = io.offset_bytes;
    if (scheduler_.Chance(faults.misdirected_write_ppm)) {
      const uint64_t room = (device.size_bytes() - io.memory.size()) / kSectorBytes;
      offset = scheduler_.random().Below(room + 1) * kSectorBytes;
    }
    device.Write(offset, io.memory);
  }

  void WriteSomeSectors(const Io& io) {
    SimDevice& device = DeviceOf(io);
    if (device.faults().write_errno != 0) return;
    for (uint64_t at = 0; at < io.memory.size(); at += kSectorBytes) {
      const bool inside = io.offset_bytes + at < device.size_bytes();
      if (!inside || scheduler_.random().Below(2) == 0) continue;
      device.Write(io.offset_bytes + at, io.memory.subspan(at, kSectorBytes));
    }
  }

  void Flush(const Io& io, IoEnd& end) {
    SimDevice& device = DeviceOf(io);
    end.error_number = device.faults().write_errno;
    if (end.error_number != 0) return;
    if (!scheduler_.Chance(device.faults().flush_error_ppm)) return device.Flush();
    // As Linux has it: what could not be written is dropped, and the next flush has nothing to do.
    device.CutPower(scheduler_.random());
    end.error_number = EIO;
  }

  size_t DoPoll(absl::Span<IoEnd> out) override {
    size_t count = 0;
    while (count < out.size() && !ended_.empty()) {
      out[count++] = ended_.front();
      ended_.pop_front();
    }
    return count;
  }

  using Pending = std::map<uint64_t, Io>;

  SimScheduler& scheduler_;
  std::map<std::string, SimDevice>& all_;
  std::set<std::string>& open_paths_;
  const std::function<void()> wake_;
  std::vector<SimDevice*> devices_;
  std::vector<std::string> opened_;
  uint64_t serial_ = 0;
  std::shared_ptr<Pending> pending_ = std::make_shared<Pending>();
  std::deque<IoEnd> ended_;
};

}  // namespace

void SimDevice::Read(uint64_t offset_bytes, absl::Span<std::byte> out) const {
  uint64_t sector = offset_bytes / kSectorBytes;
  uint64_t skip = offset_bytes % kSectorBytes;
  while (!out.empty()) {
    const size_t bytes = std::min<size_t>(out.size(), kSectorBytes - skip);
    const auto found = sectors_.find(sector++);
    if (found == sectors_.end()) {
      std::memset(out.data(), 0, bytes);
    } else {
      std::memcpy(out.data(), found->second.data() + skip, bytes);
    }
    out.remove_prefix(bytes);
    skip = 0;
  }
}

void SimDevice::Write(uint64_t offset_bytes, absl::Span<const std::byte> bytes) {
  for (uint64_t sector = offset_bytes / kSectorBytes; !bytes.empty(); ++sector) {
    Sector& content = sectors_[sector];
    durable_.emplace(sector, content);  // keeps what it was at the last flush
    std::memcpy(content.data(), bytes.data(), kSectorBytes);
    broken_.erase(sector);
    bytes.remove_prefix(kSectorBytes);
  }
}

void SimDevice::CutPower(Random& random) {
  for (const auto& [sector, content] : durable_) {
    if (random.Below(2) == 0) sectors_[sector] = content;
  }
  durable_.clear();
}

void SimDevice::FlipBit(uint64_t offset_bytes, int bit) {
  const auto found = sectors_.find(offset_bytes / kSectorBytes);
  if (found == sectors_.end()) return;
  found->second[offset_bytes % kSectorBytes] ^= static_cast<std::byte>(1 << bit);
}

bool SimDevice::IsBroken(uint64_t offset_bytes, uint64_t bytes) const {
  const auto first = broken_.lower_bound(offset_bytes / kSectorBytes);
  return first != broken_.end() && *first * kSectorBytes < offset_bytes + bytes;
}

std::unique_ptr<BlockQueue> SimStorage::CreateQueue() {
  return std::make_unique<SimQueue>(scheduler_, devices_, open_paths_, wake_);
}

void SimStorage::CutPower() {
  for (auto& [path, device] : devices_) device.CutPower(scheduler_.random());
}

}  // namespace cairn
