#include "server/cli/warm_handover.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/handle.h"
#include "base/log.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr char kSocketName[] = "warm.sock";
constexpr int kChannelDescriptor = 3;
constexpr int kAnswerTimeout_ms = 2000;
constexpr uint32_t kShardsMax = 256;

// Goes with two descriptors: arena and image.
struct ShardMessage {
  uint32_t index;
  uint32_t count;  // of all
};

bool AwaitReadable(int descriptor, int timeout_ms) {
  pollfd waiting{descriptor, POLLIN, 0};
  return poll(&waiting, 1, timeout_ms) == 1;
}

absl::Status SendDescriptors(int socket, const ShardMessage& message,
                             std::array<int, 2> descriptors) {
  iovec part{const_cast<ShardMessage*>(&message), sizeof(message)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(descriptors))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(descriptors));
  std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(descriptors));
  if (sendmsg(socket, &header, MSG_NOSIGNAL) == sizeof(message)) return absl::OkStatus();
  return FromErrno(errno, "send a shard's memory");
}

// False: the peer went, or sent something else.
bool ReceiveDescriptors(int socket, ShardMessage* message,
                        std::array<FileDescriptor, 2>* received) {
  iovec part{message, sizeof(*message)};
  std::array<int, 2> descriptors{-1, -1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(descriptors))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (!AwaitReadable(socket, kAnswerTimeout_ms)) return false;
  const ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights == nullptr || rights->cmsg_type != SCM_RIGHTS ||
      rights->cmsg_len != CMSG_LEN(sizeof(descriptors))) {
    return false;
  }
  std::memcpy(descriptors.data(), CMSG_DATA(rights), sizeof(descriptors));
  for (size_t i = 0; i < descriptors.size(); ++i) (*received)[i].Reset(descriptors[i]);
  return got == sizeof(*message) && message->count <= kShardsMax && message->index < message->count;
}

struct HeldShard {
  FileDescriptor arena;
  FileDescriptor image;
};

absl::StatusOr<std::vector<HeldShard>> ReceiveAll(int socket) {
  std::vector<HeldShard> shards;
  ShardMessage message{0, 1};
  while (shards.size() < message.count) {
    std::array<FileDescriptor, 2> descriptors;
    if (!ReceiveDescriptors(socket, &message, &descriptors) || message.index != shards.size()) {
      return absl::DataLossError("the memory that was left came in part only");
    }
    shards.push_back({std::move(descriptors[0]), std::move(descriptors[1])});
  }
  return shards;
}

absl::Status SendAll(int socket, const std::vector<HeldShard>& shards) {
  for (size_t i = 0; i < shards.size(); ++i) {
    const ShardMessage message{static_cast<uint32_t>(i), static_cast<uint32_t>(shards.size())};
    CAIRN_RETURN_IF_ERROR(
        SendDescriptors(socket, message, {shards[i].arena.get(), shards[i].image.get()}));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileDescriptor> ToMemory(const std::string& bytes) {
  FileDescriptor memory(memfd_create("cairn-warm-image", MFD_CLOEXEC));
  if (!memory) return FromErrno(errno, "memfd_create for the warm image");
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t written = write(memory.get(), bytes.data() + at, bytes.size() - at);
    if (written <= 0) return FromErrno(errno, "write the warm image");
    at += static_cast<size_t>(written);
  }
  return memory;
}

absl::StatusOr<std::string> FromMemory(const FileDescriptor& memory) {
  struct stat info;
  if (fstat(memory.get(), &info) != 0) return FromErrno(errno, "stat of the warm image");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  const ssize_t got = pread(memory.get(), bytes.data(), bytes.size(), 0);
  if (got != info.st_size) return absl::DataLossError("the warm image is cut off");
  return bytes;
}

// The socket's address by way of its folder's descriptor: paths of sockets are short, folders' may
// be long.
sockaddr_un AddressIn(const FileDescriptor& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = absl::StrCat("/proc/self/fd/", folder.get(), "/", kSocketName);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

FileDescriptor OpenFolder(const std::string& path) {
  return FileDescriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// Between fork and exec only async-signal-safe calls.
[[noreturn]] void BecomeHolder(char* const* arguments, int channel) {
  setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (channel != kChannelDescriptor) dup2(channel, kChannelDescriptor);
  fcntl(kChannelDescriptor, F_SETFD, 0);
  // Not by name: an upgrade has put another program there, or none yet.
  execv("/proc/self/exe", arguments);
  _exit(127);
}

absl::Status StartHolder(int channel, const std::string& state_folder, absl::Duration hold_for) {
  const std::vector<std::string> words = {"cairn",      "hold",  "--state-folder",
                                          state_folder, "--for", absl::FormatDuration(hold_for)};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return FromErrno(errno, "fork");
  if (pid == 0) BecomeHolder(arguments.data(), channel);
  return absl::OkStatus();
}

}  // namespace

absl::Status LeaveWarm(const std::vector<WarmShard>& shards, const std::string& state_folder,
                       absl::Duration hold_for) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return FromErrno(errno, "socketpair");
  }
  const FileDescriptor ours(pair[0]);
  FileDescriptor theirs(pair[1]);
  CAIRN_RETURN_IF_ERROR(StartHolder(theirs.get(), state_folder, hold_for));
  theirs.Reset();
  for (size_t i = 0; i < shards.size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(const FileDescriptor image, ToMemory(shards[i].image));
    const ShardMessage message{static_cast<uint32_t>(i), static_cast<uint32_t>(shards.size())};
    CAIRN_RETURN_IF_ERROR(
        SendDescriptors(ours.get(), message, {shards[i].arena.get(), image.get()}));
  }
  char ready = 0;
  if (AwaitReadable(ours.get(), kAnswerTimeout_ms) && read(ours.get(), &ready, 1) == 1) {
    return absl::OkStatus();
  }
  return absl::InternalError("the holder of the memory did not start");
}

std::vector<WarmShard> TakeWarm(const std::string& state_folder) {
  const FileDescriptor folder = OpenFolder(state_folder);
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!folder || !socket) return {};
  const sockaddr_un address = AddressIn(folder);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return {};
  }
  absl::StatusOr<std::vector<HeldShard>> held = ReceiveAll(socket.get());
  if (!held.ok()) {
    Log(LogLevel::kWarning, "warm_memory_refused", {{"why", held.status().message()}});
    return {};
  }
  std::vector<WarmShard> shards;
  for (HeldShard& shard : *held) {
    absl::StatusOr<std::string> image = FromMemory(shard.image);
    if (!image.ok()) return {};
    shards.push_back({std::move(shard.arena), *std::move(image)});
  }
  return shards;
}

absl::Status HoldWarm(int channel, const std::string& state_folder, absl::Duration hold_for) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<HeldShard> shards, ReceiveAll(channel));
  const FileDescriptor folder = OpenFolder(state_folder);
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!folder || !socket) return FromErrno(errno, absl::StrCat("open ", state_folder));
  const sockaddr_un address = AddressIn(folder);
  unlinkat(folder.get(), kSocketName, 0);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(socket.get(), 1) != 0) {
    return FromErrno(errno, absl::StrCat("listen at ", kSocketName, " in ", state_folder));
  }
  const char ready = 1;
  if (write(channel, &ready, 1) != 1) return FromErrno(errno, "answer the node");
  absl::Status outcome;
  if (AwaitReadable(socket.get(), static_cast<int>(absl::ToInt64Milliseconds(hold_for)))) {
    const FileDescriptor peer(accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ucred user{};
    socklen_t size = sizeof(user);
    const bool ours = peer && getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &user, &size) == 0 &&
                      user.uid == geteuid();
    outcome = ours ? SendAll(peer.get(), shards)
                   : absl::PermissionDeniedError("another user asked for the memory");
  }
  unlinkat(folder.get(), kSocketName, 0);
  return outcome;
}

}  // namespace cairn
