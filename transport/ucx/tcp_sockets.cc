#include "transport/ucx/tcp_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <fstream>
#include <string>

#include <absl/strings/numbers.h>

namespace cairn {
namespace {

std::optional<sockaddr_in> AddressOf(int descriptor, decltype(&getsockname) get) {
  sockaddr_in address{};
  socklen_t bytes = sizeof(address);
  if (get(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return std::nullopt;
  if (bytes != sizeof(address) || address.sin_family != AF_INET) return std::nullopt;
  return address;
}

std::optional<sockaddr_in> LocalAddressOf(int descriptor) {
  return AddressOf(descriptor, &getsockname);
}

bool IsListening(int descriptor) {
  int listening = 0;
  socklen_t bytes = sizeof(listening);
  return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) == 0 &&
         listening != 0;
}

}  // namespace

int DescriptorsEnd() {
  std::ifstream status("/proc/self/status");
  std::string line;
  int end = 0;
  while (std::getline(status, line)) {
    if (line.starts_with("FDSize:") && absl::SimpleAtoi(line.substr(7), &end)) break;
  }
  return end;
}

std::optional<sockaddr_in> PeerAddressOf(int descriptor) {
  return AddressOf(descriptor, &getpeername);
}

bool SameAddress(const sockaddr_in& a, const sockaddr_in& b) {
  return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

int FindListener(const sockaddr_in& address) {
  const int end = DescriptorsEnd();
  for (int descriptor = 0; descriptor < end; ++descriptor) {
    const std::optional<sockaddr_in> bound = LocalAddressOf(descriptor);
    if (bound.has_value() && SameAddress(*bound, address) && IsListening(descriptor)) {
      return descriptor;
    }
  }
  return -1;
}

bool IsAccepted(int descriptor, const sockaddr_in& address) {
  const std::optional<sockaddr_in> bound = LocalAddressOf(descriptor);
  const bool ours = bound.has_value() && bound->sin_port == address.sin_port &&
                    (address.sin_addr.s_addr == htonl(INADDR_ANY) || SameAddress(*bound, address));
  return ours && !IsListening(descriptor);
}

FileDescriptor Duplicate(int descriptor) {
  return FileDescriptor(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

}  // namespace cairn
