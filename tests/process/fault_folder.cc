#include "tests/process/fault_folder.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn::process {
namespace {

constexpr uint64_t kFileNode = 2;  // the folder is FUSE_ROOT_ID
constexpr uint32_t kWriteBytesMax = 1u << 20;
constexpr size_t kRequestBytesMax = kWriteBytesMax + (64u << 10);
constexpr uint32_t kMinor = 31;

fuse_attr AttributesOf(uint64_t node, uint64_t bytes) {
  fuse_attr attributes{};
  attributes.ino = node;
  attributes.size = node == kFileNode ? bytes : 0;
  attributes.mode = node == kFileNode ? S_IFREG | 0600 : S_IFDIR | 0700;
  attributes.nlink = 1;
  attributes.blksize = 4096;
  return attributes;
}

template <typename Body>
Body As(const std::byte* bytes) {
  Body body;
  std::memcpy(&body, bytes, sizeof(body));
  return body;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FaultFolder>> FaultFolder::Create(const std::string& folder,
                                                                 const std::string& file,
                                                                 uint64_t bytes) {
  FileDescriptor device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) return FromErrno(errno, "open /dev/fuse");
  CAIRN_ASSIGN_OR_RETURN(EventFd stop, EventFd::Create());
  const std::string options =
      absl::StrCat("fd=", device.get(), ",rootmode=40000,user_id=0,group_id=0");
  if (mount("faults", folder.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return FromErrno(errno, "mount a FUSE file system");
  }
  return std::unique_ptr<FaultFolder>(
      new FaultFolder(Mount(folder), std::move(device), std::move(stop), file, bytes));
}

FaultFolder::~FaultFolder() { Vanish(); }

void FaultFolder::Vanish() {
  if (!thread_.joinable()) return;
  stop_.Signal();
  thread_.join();
  device_.Reset();  // the kernel fails all that is under way and all that comes
}

void FaultFolder::Serve() {
  std::vector<std::byte> request(kRequestBytesMax);
  while (true) {
    pollfd waiting[] = {{device_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    poll(waiting, 2, -1);
    if (waiting[1].revents != 0) return;
    const ssize_t bytes = read(device_.get(), request.data(), request.size());
    if (bytes < 0 && errno == ENODEV) return;                            // unmounted
    if (bytes < static_cast<ssize_t>(sizeof(fuse_in_header))) continue;  // interrupted
    Answer(As<fuse_in_header>(request.data()), request.data() + sizeof(fuse_in_header));
  }
}

void FaultFolder::Answer(const fuse_in_header& request, const std::byte* body) {
  switch (request.opcode) {
    case FUSE_INIT: {
      fuse_init_out init{};
      init.major = FUSE_KERNEL_VERSION;
      init.minor = kMinor;
      init.flags = As<fuse_init_in>(body).flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES);
      init.max_write = kWriteBytesMax;
      init.max_pages = kWriteBytesMax / 4096;
      return ReplyWith(request, init);
    }
    case FUSE_LOOKUP:
      return LookUp(request, body);
    case FUSE_GETATTR:
    case FUSE_SETATTR: {
      fuse_attr_out attributes{};
      attributes.attr = AttributesOf(request.nodeid, content_.size());
      return ReplyWith(request, attributes);
    }
    case FUSE_OPEN: {
      fuse_open_out opened{};
      opened.open_flags = FOPEN_DIRECT_IO;
      return ReplyWith(request, opened);
    }
    case FUSE_READ:
      return Read(request, body);
    case FUSE_WRITE:
      return Write(request, body);
    case FUSE_FSYNC:
      return Reply(request, flush_error, nullptr, 0);
    case FUSE_FLUSH:
    case FUSE_RELEASE:
      return Reply(request, 0, nullptr, 0);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;  // want no answer
    default:
      return Reply(request, ENOSYS, nullptr, 0);
  }
}

void FaultFolder::Reply(const fuse_in_header& request, int error_number, const void* body,
                        size_t bytes) {
  if (error_number != 0) bytes = 0;
  fuse_out_header head{static_cast<uint32_t>(sizeof(head) + bytes), -error_number, request.unique};
  iovec pieces[] = {{&head, sizeof(head)}, {const_cast<void*>(body), bytes}};
  // It fails when the caller has gone: then nobody waits.
  static_cast<void>(writev(device_.get(), pieces, 2) < 0);
}

void FaultFolder::LookUp(const fuse_in_header& request, const std::byte* name) {
  if (file_ != reinterpret_cast<const char*>(name)) return Reply(request, ENOENT, nullptr, 0);
  fuse_entry_out entry{};
  entry.nodeid = kFileNode;
  entry.attr = AttributesOf(kFileNode, content_.size());
  ReplyWith(request, entry);
}

void FaultFolder::Read(const fuse_in_header& request, const std::byte* body) {
  const auto in = As<fuse_read_in>(body);
  if (read_delay_ms > 0) poll(nullptr, 0, read_delay_ms);
  const uint64_t from = std::min<uint64_t>(in.offset, content_.size());
  const uint64_t bytes = std::min<uint64_t>(in.size, content_.size() - from);
  Reply(request, read_error, content_.data() + from, bytes);
}

void FaultFolder::Write(const fuse_in_header& request, const std::byte* body) {
  const auto in = As<fuse_write_in>(body);
  if (write_error != 0 || in.offset + in.size > content_.size()) {
    return Reply(request, write_error != 0 ? write_error.load() : ENOSPC, nullptr, 0);
  }
  std::memcpy(content_.data() + in.offset, body + sizeof(in), in.size);
  fuse_write_out out{};
  out.size = in.size;
  ReplyWith(request, out);
}

}  // namespace cairn::process
