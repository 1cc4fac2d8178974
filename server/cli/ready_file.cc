#include "server/cli/ready_file.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/disk.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr size_t kLogTailBytes = 1000;
constexpr int kLook_ms = 50;  // how often the child's life is looked at

std::string LogTail(const std::string& path) {
  const absl::StatusOr<std::string> log = RealDisk().ReadFile(path);
  if (!log.ok()) return "";
  return log->substr(log->size() > kLogTailBytes ? log->size() - kLogTailBytes : 0);
}

}  // namespace

absl::Status WriteReadyFile(const std::string& path, const ReadyFacts& facts) {
  if (path.empty()) return absl::OkStatus();
  return RealDisk().WriteFileAtomically(path, nlohmann::json(facts).dump() + "\n", 0644);
}

absl::StatusOr<ReadyFacts> AwaitReadyFile(const std::string& path, ChildProcess& child,
                                          const std::string& log_path, absl::Duration timeout) {
  const FileDescriptor watcher(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  inotify_add_watch(watcher.get(), folder.c_str(), IN_MOVED_TO);
  const Instant deadline = RealClock().Now() + timeout;
  while (true) {
    absl::StatusOr<std::string> text = RealDisk().ReadFile(path);
    if (text.ok()) return nlohmann::json::parse(*text).get<ReadyFacts>();
    if (!child.running() || RealClock().Now() > deadline) {
      return absl::UnavailableError(
          absl::StrCat("a daemon did not start; its last words:\n", LogTail(log_path)));
    }
    pollfd waiting{watcher.get(), POLLIN, 0};
    poll(&waiting, 1, kLook_ms);
    char events[4096];
    [[maybe_unused]] const ssize_t got = read(watcher.get(), events, sizeof(events));
  }
}

}  // namespace cairn
