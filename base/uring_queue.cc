#include "base/uring_queue.h"

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/block_device.h"
#include "base/check.h"
#include "base/event_fd.h"
#include "base/log.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr uint64_t kRegisteredPieceBytesMax = uint64_t{1} << 30;  // the kernel's, of one buffer
constexpr size_t kReapBatch = 64;

class UringQueue final : public BlockQueue {
 public:
  explicit UringQueue(EventFd wake) : wake_(std::move(wake)) {}
  ~UringQueue() override {
    if (!made_) return;
    // What the kernel still has may write to memory that dies after us.
    while (submitted_ > 0) {
      io_uring_cqe* cqe = nullptr;
      if (io_uring_wait_cqe(&ring_, &cqe) < 0) continue;
      io_uring_cqe_seen(&ring_, cqe);
      --submitted_;
    }
    io_uring_queue_exit(&ring_);
  }

  absl::Status Build() {
    const int error = -io_uring_queue_init(kIosInFlightMax, &ring_, IORING_SETUP_CLAMP);
    if (error == ENOSYS || error == EPERM) {
      return absl::FailedPreconditionError(
          "this kernel or container has no io_uring; allow it (sysctl kernel.io_uring_disabled=0, "
          "seccomp profile), or run without NVMe");
    }
    if (error != 0) return FromErrno(error, "io_uring_queue_init (LimitMEMLOCK, LimitNOFILE)");
    made_ = true;
    io_uring_register_files_sparse(&ring_, kDevicesMax);
    const int wake_error = -io_uring_register_eventfd(&ring_, wake_.fd());
    return wake_error == 0 ? absl::OkStatus() : FromErrno(wake_error, "io_uring_register_eventfd");
  }

  absl::StatusOr<DeviceId> Open(const DeviceOptions& options) override {
    if (devices_.size() == kDevicesMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat(options.path, ": a reactor serves at most ", kDevicesMax, " devices"));
    }
    CAIRN_ASSIGN_OR_RETURN(BlockDevice device, BlockDevice::Open(options));
    const int number = device.fd();
    const auto index = static_cast<uint32_t>(devices_.size());
    const bool fixed = io_uring_register_files_update(&ring_, index, &number, 1) == 1;
    devices_.push_back({std::move(device), fixed});
    return DeviceId{index};
  }

  uint64_t SizeBytes(DeviceId device) const override { return DeviceOf(device).device.bytes(); }

  void RegisterMemory(const std::vector<absl::Span<std::byte>>& pieces) override {
    CAIRN_CHECK(registered_.empty() && submitted_ == 0);
    std::vector<iovec> buffers;
    for (absl::Span<std::byte> rest : pieces) {
      while (!rest.empty()) {
        const size_t bytes = std::min<size_t>(rest.size(), kRegisteredPieceBytesMax);
        buffers.push_back({rest.data(), bytes});
        rest.remove_prefix(bytes);
      }
    }
    const int error =
        -io_uring_register_buffers(&ring_, buffers.data(), static_cast<unsigned>(buffers.size()));
    if (error == 0) {
      registered_ = std::move(buffers);
    } else {
      Log(LogLevel::kWarning, "no_registered_buffers",
          {{"why", FromErrno(error, "io_uring_register_buffers").message()},
           {"remedy", "LimitMEMLOCK=infinity"}});
    }
  }

  int event_fd() const override { return wake_.fd(); }
  bool Arm() override {
    wake_.Drain();
    return io_uring_cq_ready(&ring_) == 0;
  }

 private:
  struct Device {
    BlockDevice device;
    bool fixed = false;  // registered under its own number
  };

  const Device& DeviceOf(DeviceId device) const {
    CAIRN_CHECK(static_cast<size_t>(device) < devices_.size());
    return devices_[static_cast<size_t>(device)];
  }

  // The registered piece that holds all of the memory, or -1.
  int PieceOf(absl::Span<const std::byte> memory) const {
    for (size_t i = 0; i < registered_.size(); ++i) {
      const auto* base = static_cast<const std::byte*>(registered_[i].iov_base);
      const bool inside =
          memory.data() >= base && memory.data() + memory.size() <= base + registered_[i].iov_len;
      if (inside) return static_cast<int>(i);
    }
    return -1;
  }

  void Prepare(const Io& io) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    CAIRN_CHECK(sqe != nullptr);  // the ring holds kIosInFlightMax
    const Device& device = DeviceOf(io.device);
    const int file = device.fixed ? static_cast<int>(io.device) : device.device.fd();
    const auto bytes = static_cast<unsigned>(io.memory.size());
    const int piece = io.kind == IoKind::kFlush ? -1 : PieceOf(io.memory);
    if (io.kind == IoKind::kFlush) {
      io_uring_prep_fsync(sqe, file, IORING_FSYNC_DATASYNC);
    } else if (io.kind == IoKind::kRead && piece >= 0) {
      io_uring_prep_read_fixed(sqe, file, io.memory.data(), bytes, io.offset_bytes, piece);
    } else if (io.kind == IoKind::kRead) {
      io_uring_prep_read(sqe, file, io.memory.data(), bytes, io.offset_bytes);
    } else if (piece >= 0) {
      io_uring_prep_write_fixed(sqe, file, io.memory.data(), bytes, io.offset_bytes, piece);
    } else {
      io_uring_prep_write(sqe, file, io.memory.data(), bytes, io.offset_bytes);
    }
    if (device.fixed) sqe->flags |= IOSQE_FIXED_FILE;
    // Whoever submits is a reactor: the kernel's own threads wait in its place.
    if (device.device.may_block()) sqe->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data64(sqe, io.tag);
  }

  absl::Status DoSubmit(absl::Span<const Io> requests) override {
    for (const Io& io : requests) Prepare(io);
    size_t left = requests.size();
    while (left > 0) {
      const int taken = io_uring_submit(&ring_);
      // EAGAIN, EBUSY: the kernel is short of memory for a moment; the requests stay in the ring.
      CAIRN_CHECK(taken >= 0 || taken == -EAGAIN || taken == -EBUSY || taken == -EINTR);
      if (taken > 0) left -= static_cast<size_t>(taken);
    }
    submitted_ += requests.size();
    return absl::OkStatus();
  }

  size_t DoPoll(absl::Span<IoEnd> out) override {
    io_uring_cqe* reaped[kReapBatch];
    size_t count = 0;
    while (count < out.size()) {
      const auto want = static_cast<unsigned>(std::min(kReapBatch, out.size() - count));
      const unsigned got = io_uring_peek_batch_cqe(&ring_, reaped, want);
      for (unsigned i = 0; i < got; ++i) {
        const int result = reaped[i]->res;
        out[count++] = {io_uring_cqe_get_data64(reaped[i]), result < 0 ? -result : 0,
                        result > 0 ? static_cast<uint32_t>(result) : 0};
      }
      io_uring_cq_advance(&ring_, got);
      if (got == 0) break;
    }
    submitted_ -= count;
    return count;
  }

  EventFd wake_;
  io_uring ring_{};
  bool made_ = false;
  size_t submitted_ = 0;
  std::vector<Device> devices_;  // outlive the ring's requests: see the destructor
  std::vector<iovec> registered_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockQueue>> CreateUringQueue() {
  CAIRN_ASSIGN_OR_RETURN(EventFd wake, EventFd::Create());
  auto queue = std::make_unique<UringQueue>(std::move(wake));
  CAIRN_RETURN_IF_ERROR(queue->Build());
  return queue;
}

}  // namespace cairn
