#include "base/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

namespace cairn {
namespace {

constexpr uint64_t kUnlimited = UINT64_MAX;

uint64_t MachineBytes(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string word;
  while (file >> word) {
    uint64_t kib = 0;
    if (word == "MemTotal:" && file >> kib) return kib * 1024;
  }
  return kUnlimited;
}

// Of the group and those around it. A container sees its own group as the outermost, whatever its
// path says.
uint64_t GroupBytes(const std::string& folder, std::string group, const std::string& name) {
  uint64_t limit = kUnlimited;
  for (;;) {
    std::ifstream file(absl::StrCat(folder, group, "/", name));
    uint64_t bytes = 0;
    if (file >> bytes) limit = std::min(limit, bytes);  // "max" is no number
    if (group.empty()) return limit;
    group.resize(std::min(group.rfind('/'), group.size() - 1));
  }
}

}  // namespace

uint64_t MemoryLimitBytes(const std::string& root) {
  uint64_t limit = MachineBytes(root);
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {  // number:controllers:path
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    if (fields[1].empty()) {
      limit = std::min(limit, GroupBytes(root + "/sys/fs/cgroup", fields[2], "memory.max"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      limit = std::min(
          limit, GroupBytes(root + "/sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"));
    }
  }
  return limit;
}

}  // namespace cairn
