#include "cache/disk/aligned_buffer.h"

#include <sys/mman.h>

#include <cerrno>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {

absl::StatusOr<AlignedBuffer> AlignedBuffer::Create(uint64_t bytes) {
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return FromErrno(errno, absl::StrCat("nvme_segment_bytes: no memory for a buffer of ", bytes,
                                         " bytes; lower it"));
  }
  // A child must not make us copy these pages on our next write: a device may be reading them.
  madvise(mapped, bytes, MADV_DONTFORK);
  return AlignedBuffer(static_cast<std::byte*>(mapped), bytes);
}

AlignedBuffer::~AlignedBuffer() {
  if (base_ != nullptr) munmap(base_, bytes_);
}

}  // namespace cairn
