#include "cache/dram/arena.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr uint64_t kHugePageBytes = 2u << 20;

// nullptr with errno set when the kernel refuses.
std::byte* MapShared(int descriptor, uint64_t bytes) {
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

}  // namespace

absl::StatusOr<Arena> Arena::Create(uint64_t capacity_bytes, bool huge_pages) {
  CAIRN_CHECK(capacity_bytes > 0 && capacity_bytes % kHugePageBytes == 0);
  for (const bool huge : {true, false}) {
    if (huge && !huge_pages) continue;
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0u);
    FileDescriptor descriptor(memfd_create("cairn-arena", flags));
    if (!descriptor && huge) continue;
    if (!descriptor) return FromErrno(errno, "memfd_create for the arena");
    std::byte* base = ftruncate(descriptor.get(), static_cast<off_t>(capacity_bytes)) == 0
                          ? MapShared(descriptor.get(), capacity_bytes)
                          : nullptr;
    if (base != nullptr) return Arena(std::move(descriptor), base, capacity_bytes, huge);
    if (huge) continue;  // The kernel has too few huge pages: small ones then.
    return absl::ResourceExhaustedError(absl::StrCat(
        "dram_bytes: the kernel refuses an arena of ", capacity_bytes, " bytes (",
        FromErrno(errno, "mmap").message(),
        "); lower it, or raise the memory limit of this process (systemd MemoryMax, ulimit -v)"));
  }
  CAIRN_CHECK(false);
}

absl::StatusOr<Arena> Arena::Adopt(FileDescriptor descriptor, uint64_t capacity_bytes) {
  struct stat info;
  if (fstat(descriptor.get(), &info) != 0) return FromErrno(errno, "stat of a handed-over arena");
  if (static_cast<uint64_t>(info.st_size) != capacity_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("the handed-over arena has ", info.st_size,
                                                   " bytes, wanted are ", capacity_bytes));
  }
  std::byte* base = MapShared(descriptor.get(), capacity_bytes);
  if (base == nullptr) return FromErrno(errno, "mmap of a handed-over arena");
  const bool huge = static_cast<uint64_t>(info.st_blksize) == kHugePageBytes;
  return Arena(std::move(descriptor), base, capacity_bytes, huge);
}

Arena::Arena(Arena&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      base_(std::exchange(other.base_, nullptr)),
      size_bytes_(other.size_bytes_),
      huge_(other.huge_) {}

Arena::~Arena() {
  if (base_ != nullptr) munmap(base_, size_bytes_);
}

}  // namespace cairn
