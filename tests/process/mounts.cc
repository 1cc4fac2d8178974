#include "tests/process/mounts.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include "base/status.h"
#include "server/cli/child_process.h"
#include "tests/process/engine.h"

namespace cairn::process {
namespace {

constexpr absl::Duration kToolTimeout = absl::Seconds(30);

absl::StatusOr<std::string> DeviceMountedAt(const std::string& folder) {
  std::ifstream mounts("/proc/self/mounts");
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream words(line);
    std::string device;
    std::string where;
    if (words >> device >> where && where == folder) return device;
  }
  return absl::NotFoundError(folder);
}

}  // namespace

absl::Status RunTool(const std::vector<std::string>& command) {
  CAIRN_ASSIGN_OR_RETURN(ChildProcess tool, ChildProcess::Start({.arguments = command}));
  if (!Eventually(kToolTimeout, [&tool] { return !tool.running(); }) || tool.Stop() != 0) {
    return absl::UnavailableError(absl::StrCat(command[0], " failed"));
  }
  return absl::OkStatus();
}

absl::Status EnterPrivateMounts() {
  if (geteuid() != 0) return absl::UnavailableError("mounting needs root");
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return absl::UnavailableError(
        FromErrno(errno, "a mount namespace of its own (CAP_SYS_ADMIN)").message());
  }
  return absl::OkStatus();
}

absl::StatusOr<Mount> Mount::Tmpfs(const std::string& folder, uint64_t bytes) {
  const std::string size = absl::StrCat("size=", bytes);
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, size.c_str()) != 0) {
    return FromErrno(errno, absl::StrCat("mount a tmpfs at ", folder));
  }
  return Mount(folder);
}

absl::StatusOr<Mount> Mount::Ext4(const std::string& image, const std::string& folder,
                                  uint64_t bytes) {
  CAIRN_RETURN_IF_ERROR(RunTool({"/usr/bin/truncate", "-s", absl::StrCat(bytes), image}));
  CAIRN_RETURN_IF_ERROR(RunTool({"/usr/sbin/mkfs.ext4", "-q", image}));
  CAIRN_RETURN_IF_ERROR(RunTool({"/usr/bin/mount", "-o", "loop,errors=remount-ro", image, folder}));
  return Mount(folder);
}

Mount::~Mount() {
  if (!folder_.empty()) umount2(folder_.c_str(), MNT_DETACH);
}

absl::Status Mount::Resize(uint64_t bytes) const {
  const std::string size = absl::StrCat("size=", bytes);
  const int failed = mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, size.c_str());
  return failed == 0 ? absl::OkStatus() : FromErrno(errno, "remount");
}

absl::Status Mount::BecomeReadOnly() const {
  CAIRN_ASSIGN_OR_RETURN(const std::string device, DeviceMountedAt(folder_));
  std::ofstream trigger(
      absl::StrCat("/sys/fs/ext4/", absl::StripPrefix(device, "/dev/"), "/trigger_fs_error"));
  trigger << "a test turns it read-only" << std::flush;
  return trigger ? absl::OkStatus() : absl::UnavailableError("trigger_fs_error");
}

}  // namespace cairn::process
