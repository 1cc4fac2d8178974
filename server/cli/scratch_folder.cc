#include "server/cli/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/status.h"

namespace cairn {

absl::StatusOr<ScratchFolder> ScratchFolder::Create() {
  std::string path = std::filesystem::temp_directory_path().string() + "/cairn-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return FromErrno(errno, "mkdtemp " + path);
  return ScratchFolder(path);
}

ScratchFolder::~ScratchFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace cairn
