// Opens what a block queue serves.
#ifndef CAIRN_BASE_BLOCK_DEVICE_H_
#define CAIRN_BASE_BLOCK_DEVICE_H_

#include <cstdint>

#include <absl/status/statusor.h>

#include "base/block_queue.h"
#include "base/handle.h"

namespace cairn {

// Move-only. Locked as long as its file is open anywhere: in this process, or in the kernel by a
// request that outlives it.
class BlockDevice {
 public:
  // Errors as BlockQueue::Open.
  static absl::StatusOr<BlockDevice> Open(const DeviceOptions& options);
  BlockDevice(BlockDevice&&) = default;
  BlockDevice& operator=(BlockDevice&&) = delete;
  // Nothing may be under way: unlocks at once, while a ring may keep the file open for a while.
  ~BlockDevice();

  int fd() const { return file_.get(); }
  uint64_t bytes() const { return bytes_; }  // whole sectors
  // Its file system is not known to keep its word when a request must not wait.
  bool may_block() const { return may_block_; }

 private:
  BlockDevice(FileDescriptor file, uint64_t bytes, bool may_block)
      : file_(std::move(file)), bytes_(bytes), may_block_(may_block) {}

  FileDescriptor file_;
  uint64_t bytes_;
  bool may_block_;
};

}  // namespace cairn

#endif  // CAIRN_BASE_BLOCK_DEVICE_H_
