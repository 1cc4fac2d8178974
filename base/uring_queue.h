// BlockQueue over io_uring and O_DIRECT.
#ifndef CAIRN_BASE_URING_QUEUE_H_
#define CAIRN_BASE_URING_QUEUE_H_

#include <memory>

#include <absl/status/statusor.h>

#include "base/block_queue.h"

namespace cairn {

// kResourceExhausted: the kernel refuses a ring (memlock, descriptors). kFailedPrecondition: it has
// no io_uring, or forbids it (kernel.io_uring_disabled, a container's seccomp profile).
absl::StatusOr<std::unique_ptr<BlockQueue>> CreateUringQueue();

}  // namespace cairn

#endif  // CAIRN_BASE_URING_QUEUE_H_
