// Preloaded into a daemon: writes into files whose path has STUCK_DISK_NAME in it end only when the
// file STUCK_DISK_WHILE is gone; one that waits leaves a file of that name and ".begun".
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace {

std::string PathOf(int descriptor) {
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  std::array<char, 4096> path;
  const ssize_t length = readlink(link.c_str(), path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "";
}

void WaitWhileStuck(int descriptor) {
  const char* const name = getenv("STUCK_DISK_NAME");
  const char* const flag = getenv("STUCK_DISK_WHILE");
  if (name == nullptr || flag == nullptr || access(flag, F_OK) != 0) return;
  if (PathOf(descriptor).find(name) == std::string::npos) return;
  const int begun = open((std::string(flag) + ".begun").c_str(), O_CREAT | O_WRONLY, 0600);
  if (begun >= 0) close(begun);
  while (access(flag, F_OK) == 0) usleep(10'000);
}

}  // namespace

// As SQLite calls it.
extern "C" ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off64_t at) {
  using Write = ssize_t (*)(int, const void*, size_t, off64_t);
  static const auto next = reinterpret_cast<Write>(dlsym(RTLD_NEXT, "pwrite64"));
  WaitWhileStuck(descriptor);
  return next(descriptor, bytes, count, at);
}
