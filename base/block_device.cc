#include "base/block_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr absl::Duration kLockLook = absl::Milliseconds(10);

absl::Status ErrnoAt(const char* call, const std::string& path, const char* remedy = "") {
  const int error = errno;
  return FromErrno(error, absl::StrCat(call, " ", path, remedy));
}

bool IsBlockDevice(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISBLK(info.st_mode);
}

// For a block device O_EXCL means: not while it is mounted. A regular file is made only when we are
// told its size: else a mistyped name of a drive would become a file in /dev.
int OpenFlags(const DeviceOptions& options) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC;
  if (IsBlockDevice(options.path)) return kFlags | O_EXCL;
  return options.size_bytes == 0 ? kFlags : kFlags | O_CREAT;
}

absl::Status Lock(const FileDescriptor& file, const DeviceOptions& options) {
  const Instant deadline = RealClock().Now() + options.lock_wait;
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoAt("lock", options.path);
    if (RealClock().Now() >= deadline) {
      return absl::FailedPreconditionError(absl::StrCat(
          options.path, " is in use by another process; give each node a device of its own"));
    }
    absl::SleepFor(kLockLook);
  }
  return absl::OkStatus();
}

// Without the page cache; a file system that refuses that gets it.
absl::StatusOr<FileDescriptor> OpenLocked(const DeviceOptions& options) {
  const int flags = OpenFlags(options);
  FileDescriptor file(open(options.path.c_str(), flags | O_DIRECT, 0600));
  if (!file && errno == EINVAL) {
    file.Reset(open(options.path.c_str(), flags, 0600));
    if (file) Log(LogLevel::kWarning, "no_direct_io", {{"path", options.path}});
  }
  if (!file && errno == EBUSY) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.path, " is mounted or in use; give each node a device of its own"));
  }
  if (!file) return ErrnoAt("open", options.path);
  CAIRN_RETURN_IF_ERROR(Lock(file, options));
  return file;
}

absl::Status GrowFile(const FileDescriptor& file, uint64_t old_bytes,
                      const DeviceOptions& options) {
  const auto size = static_cast<off_t>(options.size_bytes);
  // Also where it is long enough: it may have holes.
  const bool taken = options.preallocate && fallocate(file.get(), 0, 0, size) == 0;
  if (options.preallocate && !taken && errno != EOPNOTSUPP) {
    const absl::Status status =
        ErrnoAt("take the space of", options.path, " (smaller size, or another file system)");
    // What it got until then is given back.
    if (ftruncate(file.get(), static_cast<off_t>(old_bytes)) != 0) {
      Log(LogLevel::kWarning, "space_not_given_back", {{"path", options.path}});
    }
    return status;
  }
  if (!taken && old_bytes < options.size_bytes && ftruncate(file.get(), size) != 0) {
    return ErrnoAt("grow", options.path);
  }
  return absl::OkStatus();
}

// Its usable bytes.
absl::StatusOr<uint64_t> Size(const FileDescriptor& file, const DeviceOptions& options) {
  struct stat info;
  if (fstat(file.get(), &info) != 0) return ErrnoAt("stat", options.path);
  if (S_ISBLK(info.st_mode)) {
    uint64_t bytes = 0;
    if (ioctl(file.get(), BLKGETSIZE64, &bytes) != 0) return ErrnoAt("size of", options.path);
    return bytes;
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.path, " is neither a regular file nor a block device"));
  }
  const auto bytes = static_cast<uint64_t>(info.st_size);
  if (options.size_bytes == 0) return bytes;
  CAIRN_RETURN_IF_ERROR(GrowFile(file, bytes, options));
  return options.size_bytes;
}

// FUSE takes a request that must not wait and waits for its server in it, seen with Linux 6.18; so
// only those are believed that are known to hand such a request back.
bool MayBlock(const FileDescriptor& file) {
  struct stat info;
  if (fstat(file.get(), &info) == 0 && S_ISBLK(info.st_mode)) return false;
  struct statfs system;
  if (fstatfs(file.get(), &system) != 0) return true;
  switch (static_cast<uint32_t>(system.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
      return false;
    default:
      return true;
  }
}

}  // namespace

absl::StatusOr<BlockDevice> BlockDevice::Open(const DeviceOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(FileDescriptor file, OpenLocked(options));
  CAIRN_ASSIGN_OR_RETURN(const uint64_t bytes, Size(file, options));
  const bool may_block = MayBlock(file);
  return BlockDevice(std::move(file), bytes / kSectorBytes * kSectorBytes, may_block);
}

BlockDevice::~BlockDevice() {
  if (file_) flock(file_.get(), LOCK_UN);
}

}  // namespace cairn
