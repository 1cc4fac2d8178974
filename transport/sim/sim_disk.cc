#include "transport/sim/sim_disk.h"

#include <cerrno>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {

absl::StatusOr<std::string> SimDisk::ReadFile(const std::string& path) {
  const std::string what = absl::StrCat("open ", path);
  if (read_errno_ != 0) return FromErrno(read_errno_, what);
  auto file = files_.find(path);
  if (file == files_.end()) return FromErrno(ENOENT, what);
  return file->second.content;
}

absl::Status SimDisk::WriteFileAtomically(const std::string& path, std::string_view content,
                                          uint32_t mode) {
  if (write_errno_ != 0) return FromErrno(write_errno_, absl::StrCat("write ", path));
  files_[path] = {std::string(content), mode};
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlockQueue>> SimDisk::CreateBlockQueue() {
  if (storage_ == nullptr) return absl::FailedPreconditionError("this host has no drives");
  return storage_->CreateQueue();
}

uint32_t SimDisk::ModeOf(const std::string& path) const {
  auto file = files_.find(path);
  return file == files_.end() ? 0 : file->second.mode;
}

}  // namespace cairn
