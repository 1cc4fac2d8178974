#include "bench/raw_tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/clock.h"
#include "base/status.h"

namespace cairn::bench {
namespace {

struct Request {
  uint64_t bytes;
  uint64_t upload;  // 1: `bytes` follow and one byte answers
};

bool SendAll(int socket, const void* data, size_t bytes) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t sent = send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReceiveAll(int socket, void* data, size_t bytes) {
  return bytes == 0 || recv(socket, data, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
}

void SetNoDelay(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// The serving process: walks through its memory as a cache does, block after block.
[[noreturn]] void Serve(int listener, uint64_t memory_bytes, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  std::vector<std::byte> memory(memory_bytes, std::byte{1});
  const int socket = accept(listener, nullptr, nullptr);
  SetNoDelay(socket);
  uint64_t offset = 0;
  Request request;
  while (ReceiveAll(socket, &request, sizeof(request))) {
    if (offset + request.bytes > memory.size()) offset = 0;
    std::byte* const block = memory.data() + offset;
    offset += request.bytes;
    const bool ok = request.upload == 0
                        ? SendAll(socket, block, request.bytes)
                        : ReceiveAll(socket, block, request.bytes) && SendAll(socket, block, 1);
    if (!ok) break;
  }
  _exit(0);
}

double GigabytesPerSecond(uint64_t bytes, absl::Duration time) {
  return static_cast<double>(bytes) / absl::ToDoubleSeconds(time) / 1e9;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawTcp>> RawTcp::Start(uint64_t memory_bytes) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return FromErrno(errno, "listen on loopback");
  }
  const pid_t parent = getpid();
  const pid_t server = fork();
  if (server < 0) return FromErrno(errno, "fork");
  if (server == 0) Serve(listener, memory_bytes, parent);
  const int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int failed = connect(connected, reinterpret_cast<sockaddr*>(&address), length);
  close(listener);
  auto raw = std::unique_ptr<RawTcp>(new RawTcp(server, connected, memory_bytes));
  if (failed != 0) return FromErrno(errno, "connect on loopback");
  SetNoDelay(connected);
  return raw;
}

RawTcp::~RawTcp() {
  close(socket_);
  kill(server_, SIGKILL);
  waitpid(server_, nullptr, 0);
}

absl::StatusOr<double> RawTcp::Get(uint64_t bytes, size_t depth, size_t count) {
  const Instant begun = RealClock().Now();
  const Request request{bytes, 0};
  uint64_t offset = 0;
  for (size_t sent = 0, received = 0; received < count;) {
    if (sent < count && sent - received < depth) {
      if (!SendAll(socket_, &request, sizeof(request))) return FromErrno(errno, "send");
      ++sent;
      continue;
    }
    if (offset + bytes > memory_.size()) offset = 0;
    if (!ReceiveAll(socket_, memory_.data() + offset, bytes)) return FromErrno(errno, "recv");
    offset += bytes;
    ++received;
  }
  return GigabytesPerSecond(bytes * count, RealClock().Now() - begun);
}

absl::StatusOr<double> RawTcp::Put(uint64_t bytes, size_t depth, size_t count) {
  const Instant begun = RealClock().Now();
  const Request request{bytes, 1};
  uint64_t offset = 0;
  for (size_t sent = 0, acknowledged = 0; acknowledged < count;) {
    if (sent < count && sent - acknowledged < depth) {
      if (offset + bytes > memory_.size()) offset = 0;
      if (!SendAll(socket_, &request, sizeof(request)) ||
          !SendAll(socket_, memory_.data() + offset, bytes)) {
        return FromErrno(errno, "send");
      }
      offset += bytes;
      ++sent;
      continue;
    }
    char acknowledgement;
    if (!ReceiveAll(socket_, &acknowledgement, 1)) return FromErrno(errno, "recv");
    ++acknowledged;
  }
  return GigabytesPerSecond(bytes * count, RealClock().Now() - begun);
}

}  // namespace cairn::bench
