#include "server/cli/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/handle.h"
#include "base/log.h"
#include "base/status.h"

namespace cairn {
namespace {

absl::Status SendDatagram(const std::string& socket_name, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_name.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError("NOTIFY_SOCKET: longer than a socket's name may be");
  }
  std::memcpy(address.sun_path, socket_name.data(), socket_name.size());
  // The length ends the name: an abstract one has no zero at its end, but one in place of its @.
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_name.size());
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const ssize_t sent = sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  if (sent != static_cast<ssize_t>(text.size())) return FromErrno(errno, "NOTIFY_SOCKET");
  return absl::OkStatus();
}

}  // namespace

ServiceManager::ServiceManager(const Environment& environment) {
  const auto found = environment.find("NOTIFY_SOCKET");
  if (found != environment.end()) socket_ = found->second;
}

void ServiceManager::Notify(const std::string& state) const {
  if (socket_.empty()) return;
  const absl::Status sent = SendDatagram(socket_, state);
  if (!sent.ok()) {
    Log(LogLevel::kWarning, "service_manager_not_told",
        {{"state", state}, {"why", sent.message()}});
  }
}

}  // namespace cairn
