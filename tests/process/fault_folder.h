// A folder with one file that does what a drive does and fails when it is told to: a file system of
// this process, by the kernel's FUSE protocol. For root, within EnterPrivateMounts().
#ifndef CAIRN_TESTS_PROCESS_FAULT_FOLDER_H_
#define CAIRN_TESTS_PROCESS_FAULT_FOLDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/event_fd.h"
#include "base/handle.h"
#include "tests/process/mounts.h"

struct fuse_in_header;

namespace cairn::process {

class FaultFolder {
 public:
  // `file`, `bytes` long and all zero, is all there is in it.
  static absl::StatusOr<std::unique_ptr<FaultFolder>> Create(const std::string& folder,
                                                             const std::string& file,
                                                             uint64_t bytes);
  ~FaultFolder();

  // errno of what fails from now on; 0: nothing does.
  std::atomic<int> read_error{0};
  std::atomic<int> write_error{0};
  std::atomic<int> flush_error{0};
  // Before each read.
  std::atomic<int> read_delay_ms{0};
  // The drive is gone, for good.
  void Vanish();

 private:
  FaultFolder(Mount mount, FileDescriptor device, EventFd stop, std::string file, uint64_t bytes)
      : mount_(std::move(mount)),
        device_(std::move(device)),
        stop_(std::move(stop)),
        file_(std::move(file)),
        content_(bytes),
        thread_([this] { Serve(); }) {}

  void Serve();
  void Answer(const fuse_in_header& request, const std::byte* body);
  void Reply(const fuse_in_header& request, int error_number, const void* body, size_t bytes);
  template <typename Body>
  void ReplyWith(const fuse_in_header& request, const Body& body) {
    Reply(request, 0, &body, sizeof(body));
  }
  void LookUp(const fuse_in_header& request, const std::byte* name);
  void Read(const fuse_in_header& request, const std::byte* body);
  void Write(const fuse_in_header& request, const std::byte* body);

  Mount mount_;
  FileDescriptor device_;  // /dev/fuse
  EventFd stop_;
  const std::string file_;
  std::vector<std::byte> content_;
  std::thread thread_;
};

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_FAULT_FOLDER_H_
