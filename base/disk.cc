#include "base/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/handle.h"
#include "base/status.h"
#include "base/uring_queue.h"

namespace cairn {
namespace {

// Identities, keys and configuration are kilobytes; more is a wrong path.
constexpr size_t kFileBytesMax = size_t{16} << 20;

absl::Status ErrnoAt(const char* call, const std::string& path) {
  const int error = errno;
  return FromErrno(error, std::string(call) + " " + path);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status MakeFolders(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return absl::OkStatus();
  if (errno != ENOENT) return ErrnoAt("stat", path);
  CAIRN_RETURN_IF_ERROR(MakeFolders(ParentOf(path)));
  // Another process may have made it since.
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoAt("mkdir", path);
  return absl::OkStatus();
}

absl::Status WriteAll(int descriptor, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno != EINTR) return ErrnoAt("write", path);
    if (written > 0) content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return ErrnoAt("open", path);
  if (::fsync(folder.get()) != 0) return ErrnoAt("fsync", path);
  return absl::OkStatus();
}

// A file under a name that nobody knows yet; unlinked unless it got its real name.
class TemporaryFile {
 public:
  static absl::StatusOr<TemporaryFile> Create(const std::string& beside) {
    std::string path = beside + ".XXXXXX";
    FileDescriptor descriptor(::mkostemp(path.data(), O_CLOEXEC));
    if (!descriptor) return ErrnoAt("mkostemp", path);
    return TemporaryFile(std::move(path), std::move(descriptor));
  }
  TemporaryFile(TemporaryFile&&) = default;
  ~TemporaryFile() {
    if (descriptor_) ::unlink(path_.c_str());
  }

  absl::Status Write(std::string_view content, uint32_t mode) {
    if (::fchmod(descriptor_.get(), mode) != 0) return ErrnoAt("fchmod", path_);
    CAIRN_RETURN_IF_ERROR(WriteAll(descriptor_.get(), content, path_));
    if (::fsync(descriptor_.get()) != 0) return ErrnoAt("fsync", path_);
    return absl::OkStatus();
  }
  absl::Status RenameTo(const std::string& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) return ErrnoAt("rename to", path);
    descriptor_.Reset();
    return absl::OkStatus();
  }

 private:
  TemporaryFile(std::string path, FileDescriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  std::string path_;
  FileDescriptor descriptor_;
};

class FileSystemDisk final : public Disk {
 public:
  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return ErrnoAt("open", path);
    std::string content;
    char chunk[16384];
    while (true) {
      const ssize_t got = ::read(file.get(), chunk, sizeof(chunk));
      if (got == 0) return content;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoAt("read", path);
      content.append(chunk, static_cast<size_t>(got));
      if (content.size() > kFileBytesMax) {
        return absl::ResourceExhaustedError(
            absl::StrCat(path, " is larger than ", kFileBytesMax, " bytes; is it the right file?"));
      }
    }
  }

  absl::Status WriteFileAtomically(const std::string& path, std::string_view content,
                                   uint32_t mode) override {
    const std::string folder = ParentOf(path);
    CAIRN_RETURN_IF_ERROR(MakeFolders(folder));
    CAIRN_ASSIGN_OR_RETURN(TemporaryFile file, TemporaryFile::Create(path));
    CAIRN_RETURN_IF_ERROR(file.Write(content, mode));
    CAIRN_RETURN_IF_ERROR(file.RenameTo(path));
    // Without it a crash may bring the old file back after we said that the new one is safe.
    return SyncFolder(folder);
  }

  absl::StatusOr<std::unique_ptr<BlockQueue>> CreateBlockQueue() override {
    return CreateUringQueue();
  }
};

}  // namespace

Disk& RealDisk() {
  static FileSystemDisk disk;
  return disk;
}

}  // namespace cairn
