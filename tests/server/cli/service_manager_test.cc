#include "server/cli/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "base/handle.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

// What systemd is to its service.
class Listener {
 public:
  explicit Listener(const std::string& name)
      : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  // "" when nothing came.
  std::string Next() {
    char text[64];
    const ssize_t got = recv(socket_.get(), text, sizeof(text), 0);
    return got < 0 ? "" : std::string(text, static_cast<size_t>(got));
  }

 private:
  FileDescriptor socket_;
};

ServiceManager ManagerAt(const std::string& name) {
  return ServiceManager(Environment{{"NOTIFY_SOCKET", name}});
}

TEST(ServiceManagerTest, HearsOfReadinessAndOfTheEnd) {
  const ScratchFolder folder = *ScratchFolder::Create();
  Listener listener(folder.File("notify"));
  const ServiceManager manager = ManagerAt(folder.File("notify"));
  manager.Ready();
  manager.Stopping();
  EXPECT_EQ(listener.Next(), "READY=1");
  EXPECT_EQ(listener.Next(), "STOPPING=1");
  EXPECT_EQ(listener.Next(), "");
}

TEST(ServiceManagerTest, MayListenAtAnAbstractName) {
  const std::string name = absl::StrCat("@cairn-service-manager-test-", getpid());
  Listener listener(name);
  ManagerAt(name).Ready();
  EXPECT_EQ(listener.Next(), "READY=1");
}

TEST(ServiceManagerTest, MayBeAbsentOrDeaf) {
  ServiceManager(Environment{}).Ready();
  ManagerAt("/nonexistent/notify").Ready();
  ManagerAt(std::string(200, 'x')).Ready();
}

}  // namespace
}  // namespace cairn
