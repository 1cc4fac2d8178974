#include "cache/disk/aligned_buffer.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <gtest/gtest.h>

#include "base/block_queue.h"

namespace cairn {
namespace {

TEST(AlignedBuffer, IsWhatADeviceTakes) {
  AlignedBuffer buffer = AlignedBuffer::Create(3 * kSectorBytes).value();
  EXPECT_EQ(buffer.bytes().size(), 3 * kSectorBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.bytes().data()) % kSectorBytes, 0u);
  std::memset(buffer.bytes().data(), 7, buffer.bytes().size());
  const std::byte* base = buffer.bytes().data();
  const AlignedBuffer moved = std::move(buffer);
  EXPECT_EQ(moved.bytes().data(), base);
  EXPECT_EQ(moved.bytes().back(), std::byte{7});
}

TEST(AlignedBuffer, TooMuchMemoryNamesTheSetting) {
  const absl::Status status = AlignedBuffer::Create(uint64_t{1} << 60).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.ToString().find("nvme_segment_bytes: no memory"), std::string::npos);
}

// Else each of its pages would be copied on our next write, though a device may be reading it.
TEST(AlignedBuffer, IsAbsentFromAChild) {
  const AlignedBuffer buffer = AlignedBuffer::Create(kSectorBytes).value();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const ssize_t written = ::write(ends[1], buffer.bytes().data(), 1);
    ::_exit(written < 0 && errno == EFAULT ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace cairn
