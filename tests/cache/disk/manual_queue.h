// A block queue whose requests end when, and as, the test says. Several devices.
#ifndef CAIRN_TESTS_CACHE_DISK_MANUAL_QUEUE_H_
#define CAIRN_TESTS_CACHE_DISK_MANUAL_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/block_queue.h"
#include "base/check.h"

namespace cairn {

class ManualQueue final : public BlockQueue {
 public:
  ManualQueue() {
    started_.reserve(kIosInFlightMax);
    ended_.reserve(kIosInFlightMax);
  }

  absl::StatusOr<DeviceId> Open(const DeviceOptions&) override { return DeviceId{devices_++}; }
  uint64_t SizeBytes(DeviceId) const override { return UINT64_MAX; }
  void RegisterMemory(const std::vector<absl::Span<std::byte>>&) override {}
  int event_fd() const override { return -1; }
  bool Arm() override { return ended_.empty(); }

  // Requests that have not ended, in the order in which they were submitted.
  const std::vector<Io>& started() const { return started_; }
  size_t Count(IoKind kind) const {
    return static_cast<size_t>(std::count_if(started_.begin(), started_.end(),
                                             [kind](const Io& io) { return io.kind == kind; }));
  }
  uint64_t Bytes(IoKind kind) const {
    uint64_t bytes = 0;
    for (const Io& io : started_) bytes += io.kind == kind ? io.memory.size() : 0;
    return bytes;
  }

  // Ends a request; returns its tag.
  uint64_t End(size_t index, int error_number = 0) {
    return End(index, error_number,
               error_number == 0 ? static_cast<uint32_t>(started_.at(index).memory.size()) : 0);
  }
  uint64_t End(size_t index, int error_number, uint32_t bytes) {
    const uint64_t tag = started_.at(index).tag;
    started_.erase(started_.begin() + static_cast<ptrdiff_t>(index));
    ended_.push_back({tag, error_number, bytes});
    return tag;
  }
  void EndAll() {
    while (!started_.empty()) End(0);
  }
  // A completion of the device's invention.
  void Invent(uint64_t tag, uint32_t bytes = 0) { ended_.push_back({tag, 0, bytes}); }

 private:
  absl::Status DoSubmit(absl::Span<const Io> requests) override {
    started_.insert(started_.end(), requests.begin(), requests.end());
    return absl::OkStatus();
  }
  size_t DoPoll(absl::Span<IoEnd> out) override {
    const size_t count = std::min(out.size(), ended_.size());
    std::copy_n(ended_.begin(), count, out.begin());
    ended_.erase(ended_.begin(), ended_.begin() + static_cast<ptrdiff_t>(count));
    return count;
  }

  uint32_t devices_ = 0;
  std::vector<Io> started_;
  std::vector<IoEnd> ended_;
};

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_DISK_MANUAL_QUEUE_H_
