// Real file systems that fill up or turn read-only, in a mount namespace of the test's own: nothing
// of it stays behind, however the test ends. For root.
#ifndef CAIRN_TESTS_PROCESS_MOUNTS_H_
#define CAIRN_TESTS_PROCESS_MOUNTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace cairn::process {

// Runs a program to its end. kUnavailable: it is not there, or it did not end with 0.
absl::Status RunTool(const std::vector<std::string>& command);

// From here on this thread and the processes that it starts see mounts that nobody else sees.
// kUnavailable: it may not, with the reason.
absl::Status EnterPrivateMounts();

// Move-only; unmounts.
class Mount {
 public:
  static absl::StatusOr<Mount> Tmpfs(const std::string& folder, uint64_t bytes);
  // A new ext4 in `image`, over a loop device; an error of the file system makes it read-only.
  static absl::StatusOr<Mount> Ext4(const std::string& image, const std::string& folder,
                                    uint64_t bytes);
  explicit Mount(std::string folder) : folder_(std::move(folder)) {}
  Mount(Mount&& other) noexcept : folder_(std::exchange(other.folder_, "")) {}
  Mount& operator=(Mount&&) = delete;
  ~Mount();

  // Of a tmpfs.
  absl::Status Resize(uint64_t bytes) const;
  // Of an ext4: what a bad sector under its own data does to it.
  absl::Status BecomeReadOnly() const;

 private:
  std::string folder_;
};

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_MOUNTS_H_
