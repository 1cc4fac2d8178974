#include "tests/netns/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"

namespace cairn::netns {
namespace {

constexpr char kDevice[] = "cable0";
constexpr int kPacketBytes = 9000;  // a ninth of the system calls of 1500

absl::Status Must(int result, const char* what) {
  return result >= 0 ? absl::OkStatus() : FromErrno(errno, what);
}

absl::StatusOr<FileDescriptor> Open(const char* path, int flags) {
  FileDescriptor file(open(path, flags | O_CLOEXEC));
  if (!file) return FromErrno(errno, path);
  return file;
}

ifreq Named(const char* device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  return request;
}

absl::Status SetUp(int control, const char* device) {
  ifreq request = Named(device);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return Must(ioctl(control, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
}

absl::Status SetAddress(int control, unsigned long what, const std::string& address) {
  ifreq request = Named(kDevice);
  sockaddr_in value{};
  value.sin_family = AF_INET;
  if (inet_pton(AF_INET, address.c_str(), &value.sin_addr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("address: ", address, " is not IPv4"));
  }
  std::memcpy(&request.ifr_addr, &value, sizeof(value));
  return Must(ioctl(control, what, &request), "SIOCSIFADDR");
}

// A network and mounts of the calling thread's own.
absl::Status Leave() {
  CAIRN_RETURN_IF_ERROR(Must(unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare"));
  CAIRN_RETURN_IF_ERROR(
      Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private mounts"));
  return Must(mount("sysfs", "/sys", "sysfs", 0, nullptr), "mount /sys");
}

absl::StatusOr<FileDescriptor> MakeDevice(const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(FileDescriptor device, Open("/dev/net/tun", O_RDWR | O_NONBLOCK));
  ifreq request = Named(kDevice);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  CAIRN_RETURN_IF_ERROR(Must(ioctl(device.get(), TUNSETIFF, &request), "TUNSETIFF"));
  const FileDescriptor control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CAIRN_RETURN_IF_ERROR(SetAddress(control.get(), SIOCSIFADDR, address));
  CAIRN_RETURN_IF_ERROR(SetAddress(control.get(), SIOCSIFNETMASK, "255.255.255.0"));
  request = Named(kDevice);
  request.ifr_mtu = kPacketBytes;
  CAIRN_RETURN_IF_ERROR(Must(ioctl(control.get(), SIOCSIFMTU, &request), "SIOCSIFMTU"));
  CAIRN_RETURN_IF_ERROR(SetUp(control.get(), kDevice));
  CAIRN_RETURN_IF_ERROR(SetUp(control.get(), "lo"));
  return device;
}

}  // namespace

absl::StatusOr<Host> Host::Create(const std::string& address) {
  Host host;
  const auto make = [&]() -> absl::Status {
    CAIRN_RETURN_IF_ERROR(Leave());
    CAIRN_ASSIGN_OR_RETURN(host.network_, Open("/proc/thread-self/ns/net", O_RDONLY));
    CAIRN_ASSIGN_OR_RETURN(host.mounts_, Open("/proc/thread-self/ns/mnt", O_RDONLY));
    CAIRN_ASSIGN_OR_RETURN(host.device_, MakeDevice(address));
    return absl::OkStatus();
  };
  absl::Status made;
  // A thread of its own leaves ours where they are.
  std::thread([&] { made = make(); }).join();
  if (!made.ok()) return made;
  return host;
}

std::vector<std::string> Host::Launcher() const {
  const std::string descriptors = absl::StrCat("/proc/", getpid(), "/fd/");
  return {"/usr/bin/nsenter", absl::StrCat("--net=", descriptors, network_.get()),
          absl::StrCat("--mount=", descriptors, mounts_.get())};
}

void Host::Enter() const {
  CAIRN_CHECK(unshare(CLONE_FS) == 0);  // a thread that shares its root cannot change its mounts
  CAIRN_CHECK(setns(network_.get(), CLONE_NEWNET) == 0);
  CAIRN_CHECK(setns(mounts_.get(), CLONE_NEWNS) == 0);
}

}  // namespace cairn::netns
