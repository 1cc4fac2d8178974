// Bulk storage, injected: whole sectors of regular files and raw devices, without the page cache.
//
// A queue belongs to one thread (a reactor), which submits and polls; nothing happens outside its
// calls. It may serve several devices. A completion tells what the device said and no more: whoever
// reads checks what it got, for devices lie (docs/faults.md).
#ifndef CAIRN_BASE_BLOCK_QUEUE_H_
#define CAIRN_BASE_BLOCK_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

namespace cairn {

// Offsets, lengths and memory addresses are multiples of it: the largest logical block of the
// drives in use. Only a sector is written whole or not at all.
inline constexpr uint64_t kSectorBytes = 4096;
inline constexpr uint64_t kIoBytesMax = 64u << 20;  // of one request
inline constexpr size_t kIosInFlightMax = 1024;     // per queue; then kResourceExhausted
inline constexpr size_t kDevicesMax = 16;           // per queue

constexpr uint64_t RoundUpToSector(uint64_t bytes) {
  return (bytes + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
}

enum class DeviceId : uint32_t {};

struct DeviceOptions {
  std::string path;  // a regular file or a block device
  // Of a regular file, which is made if it is absent: grown to this length, never cut; more than
  // this is not used. 0: as long as it is.
  uint64_t size_bytes = 0;
  bool preallocate = true;  // a regular file's space is taken now, so that no write lacks it later
  // Open() blocks so long for another user to go: the kernel ends what a killed process had under
  // way, and only then lets go of the device.
  absl::Duration lock_wait = absl::Seconds(5);
};

enum class IoKind : uint8_t {
  kRead,
  kWrite,
  kFlush,  // all writes completed before it are durable; no memory, no offset
};

// The memory is the device's until the completion with this tag.
struct Io {
  IoKind kind = IoKind::kRead;
  DeviceId device{};
  uint64_t offset_bytes = 0;
  absl::Span<std::byte> memory;
  uint64_t tag = 0;
};

struct IoEnd {
  uint64_t tag = 0;
  int error_number = 0;  // 0: done; else an errno of the device
  uint32_t bytes = 0;    // moved; may be fewer than asked for without any error
};

class BlockQueue {
 public:
  // Ends all requests first: on return no device touches any memory.
  virtual ~BlockQueue() = default;

  // Opens a device for this process alone, without the page cache where its file system allows.
  // kFailedPrecondition: somebody uses it. kResourceExhausted: kDevicesMax, or no space to
  // preallocate; the file is then as it was. kInvalidArgument: neither file nor block device.
  // kPermissionDenied, kNotFound and others as FromErrno. Messages name path and remedy.
  virtual absl::StatusOr<DeviceId> Open(const DeviceOptions& options) = 0;
  virtual uint64_t SizeBytes(DeviceId device) const = 0;

  // Memory that most requests will lie in, so that its pages need not be looked up each time; once,
  // before the first request. An optimisation: where the kernel refuses, requests work as before.
  virtual void RegisterMemory(const std::vector<absl::Span<std::byte>>& pieces) = 0;

  // Starts all or none. kResourceExhausted: kIosInFlightMax, Poll and retry.
  absl::Status Submit(absl::Span<const Io> requests);
  // Writes up to out.size() completions, in any order; returns how many. Never blocks.
  size_t Poll(absl::Span<IoEnd> out);
  size_t in_flight() const { return in_flight_; }

  // Readable when Poll may have work, after Arm() returned true. -1 in the simulation.
  virtual int event_fd() const = 0;
  // Prepares event_fd for poll(2). false: completions wait, call Poll first.
  virtual bool Arm() = 0;

 private:
  virtual absl::Status DoSubmit(absl::Span<const Io> requests) = 0;
  virtual size_t DoPoll(absl::Span<IoEnd> out) = 0;

  size_t in_flight_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_BASE_BLOCK_QUEUE_H_
