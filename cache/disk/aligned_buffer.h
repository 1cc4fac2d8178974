// Memory that a device may read and write: page aligned, pages granted on first touch, absent from
// children (a fork touches none of it).
#ifndef CAIRN_CACHE_DISK_ALIGNED_BUFFER_H_
#define CAIRN_CACHE_DISK_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

namespace cairn {

// Move-only owner.
class AlignedBuffer {
 public:
  // kResourceExhausted: memory; the message names the size and the setting to lower.
  static absl::StatusOr<AlignedBuffer> Create(uint64_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_) {}
  AlignedBuffer& operator=(AlignedBuffer&&) = delete;
  ~AlignedBuffer();

  absl::Span<std::byte> bytes() const { return {base_, bytes_}; }

 private:
  AlignedBuffer(std::byte* base, uint64_t bytes) : base_(base), bytes_(bytes) {}

  std::byte* base_;
  uint64_t bytes_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_ALIGNED_BUFFER_H_
