// The memory of one shard: one memfd, mapped once, huge pages when the kernel grants them. A memfd,
// so that a restarted daemon can adopt it and a same-host client can map it read-only.
#ifndef CAIRN_CACHE_DRAM_ARENA_H_
#define CAIRN_CACHE_DRAM_ARENA_H_

#include <cstddef>
#include <cstdint>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/handle.h"

namespace cairn {

// Move-only owner of descriptor and mapping.
class Arena {
 public:
  // capacity_bytes: a multiple of 2 MiB. Pages are granted on first touch, except huge ones, which
  // are reserved now. kResourceExhausted: the message names size, limit and remedy.
  static absl::StatusOr<Arena> Create(uint64_t capacity_bytes, bool huge_pages);
  // One that an earlier life made. kInvalidArgument: it has another size. Others as FromErrno.
  static absl::StatusOr<Arena> Adopt(FileDescriptor descriptor, uint64_t capacity_bytes);
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  absl::Span<std::byte> bytes() const { return {base_, size_bytes_}; }
  bool huge() const { return huge_; }
  int descriptor() const { return descriptor_.get(); }

 private:
  Arena(FileDescriptor descriptor, std::byte* base, uint64_t size_bytes, bool huge)
      : descriptor_(std::move(descriptor)), base_(base), size_bytes_(size_bytes), huge_(huge) {}

  FileDescriptor descriptor_;
  std::byte* base_;
  uint64_t size_bytes_;
  bool huge_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DRAM_ARENA_H_
