// Storage, injected: small files here (identities, keys, credentials), bulk storage by its queues.
#ifndef CAIRN_BASE_DISK_H_
#define CAIRN_BASE_DISK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/block_queue.h"

namespace cairn {

// Thread-safe.
class Disk {
 public:
  virtual ~Disk() = default;
  // Errors as FromErrno (kNotFound: no such file); the message names call and path.
  // kResourceExhausted: larger than 16 MiB.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) = 0;
  // All or nothing, also across a crash (temporary file, fsync, rename, fsync of the folder).
  // mode: of the file whatever the umask, e.g. 0600 for secrets. Creates missing parent folders
  // with 0700. Errors as FromErrno; the message names call and path; the old or the new
  // file then stands, whole.
  virtual absl::Status WriteFileAtomically(const std::string& path, std::string_view content,
                                           uint32_t mode) = 0;
  // For the calling thread, or another that alone uses it from then on. Errors of the ring as
  // CreateUringQueue.
  virtual absl::StatusOr<std::unique_ptr<BlockQueue>> CreateBlockQueue() = 0;
};

// Lives for ever.
Disk& RealDisk();

}  // namespace cairn

#endif  // CAIRN_BASE_DISK_H_
