// A temporary folder that goes with its owner.
#ifndef CAIRN_SERVER_CLI_SCRATCH_FOLDER_H_
#define CAIRN_SERVER_CLI_SCRATCH_FOLDER_H_

#include <string>

#include <absl/status/statusor.h>

namespace cairn {

class ScratchFolder {
 public:
  // Under TMPDIR or /tmp, mode 0700.
  static absl::StatusOr<ScratchFolder> Create();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  std::string File(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_SCRATCH_FOLDER_H_
