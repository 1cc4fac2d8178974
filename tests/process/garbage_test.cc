// Ten thousand connections that speak nothing sensible, on every port.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "base/random.h"
#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

constexpr int kConnections = 10000;
constexpr int kBurst = 200;  // connections before the servers must have closed what came before
constexpr double kGrowthMax_kib = 32 * 1024;

using Garbage = ClusterTest;

// A truncated or senseless beginning of each protocol that listens, or noise.
std::string MakeGarbage(Random& random, bool zeros) {
  static const std::string kBeginnings[] = {"", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                            "GET /metrics HTTP/1.1\r\nHost: ", "CIRN",
                                            std::string(8, '\0')};
  std::string text = kBeginnings[random.Below(zeros ? 5 : 4)];
  const size_t noise = random.Below(200);
  for (size_t i = 0; i < noise; ++i) text += static_cast<char>(random.Below(256));
  return text;
}

void SendGarbage(const std::string& address, Random& random, bool zeros) {
  const size_t colon = address.rfind(':');
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  uint32_t port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(address.substr(colon + 1), &port));
  peer.sin_port = htons(static_cast<uint16_t>(port));
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // Half of them vanish with a reset.
  const linger hard{1, 0};
  if (random.Below(2) == 0) setsockopt(socket_fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  if (connect(socket_fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) == 0) {
    const std::string text = MakeGarbage(random, zeros);
    (void)send(socket_fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
  close(socket_fd);
}

double ResidentKib(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(status, line)) {
    if (absl::StartsWith(line, "VmRSS:")) return std::stod(line.substr(6));
  }
  return 0;
}

size_t OpenFiles(pid_t pid) {
  const std::filesystem::directory_iterator files(absl::StrCat("/proc/", pid, "/fd"));
  return static_cast<size_t>(std::distance(files, std::filesystem::directory_iterator()));
}

// Every TCP port that a process listens on.
std::vector<std::string> ListeningPorts(pid_t pid) {
  std::vector<std::string> inodes;
  for (int fd = 0; fd < 256; ++fd) {
    char target[64];
    const std::string path = absl::StrCat("/proc/", pid, "/fd/", fd);
    const ssize_t length = readlink(path.c_str(), target, sizeof(target));
    const std::string text(target, length > 0 ? static_cast<size_t>(length) : 0);
    if (absl::StartsWith(text, "socket:[")) inodes.push_back(text.substr(8, text.size() - 9));
  }
  std::vector<std::string> ports;
  for (const char* table : {"/net/tcp", "/net/tcp6"}) {
    std::ifstream lines(absl::StrCat("/proc/", pid, table));
    std::string line;
    while (std::getline(lines, line)) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (words.size() < 10 || words[3] != "0A") continue;
      if (std::find(inodes.begin(), inodes.end(), words[9]) == inodes.end()) continue;
      const std::string port = words[1].substr(words[1].rfind(':') + 1);
      ports.push_back(absl::StrCat("127.0.0.1:", std::stoul(port, nullptr, 16)));
    }
  }
  return ports;
}

TEST_F(Garbage, LeavesServersAliveAndTheirMemoryFlat) {
  Start(1, 128u << 20);
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  const std::vector<BlockKey> keys = engine->Keys(1, 16);
  ASSERT_EQ(engine->Put(keys, absl::Seconds(2)).ok, keys.size());
  std::vector<pid_t> pids;
  std::vector<std::string> ports;
  for (ChildProcess& process : cluster->processes()) {
    pids.push_back(process.pid());
    for (std::string& port : ListeningPorts(process.pid())) ports.push_back(std::move(port));
  }
  ASSERT_GE(ports.size(), 4u);  // control, data, HTTP twice
  ASSERT_THAT(ports, ::testing::Contains(cluster->node_data()[0]));
  SeededRandom random(7);
  const auto files = [&pids] {
    return std::transform_reduce(pids.begin(), pids.end(), size_t{0}, std::plus<>(), OpenFiles);
  };
  const size_t files_before = files();
  std::vector<double> before;
  for (int i = 0; i < kConnections; ++i) {
    if (i % kBurst == 0) {
      ASSERT_TRUE(Eventually(absl::Seconds(10), [&] { return files() <= files_before + kBurst; }));
    }
    const std::string& port = ports[static_cast<size_t>(i) % ports.size()];
    // An HTTP port takes its connections one by one: fewer go there.
    const bool http = port == cluster->coordinator_http() || port == cluster->node_http()[0];
    // UCX 1.13 asserts when it reads more than a header announces: docs/transports.md, "Known
    // limits".
    const bool zeros = port != cluster->node_data()[0];
    SendGarbage(http && random.Below(20) > 0 ? cluster->coordinator() : port, random, zeros);
    if (i == kConnections / 5) {  // caches and pools are warm
      for (const pid_t pid : pids) before.push_back(ResidentKib(pid));
    }
  }
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return files() <= files_before; }))
      << files() << " open files, " << files_before << " before";
  for (size_t i = 0; i < pids.size(); ++i) {
    EXPECT_TRUE(cluster->processes()[i].running());
    EXPECT_LT(ResidentKib(pids[i]) - before[i], kGrowthMax_kib) << "process " << i;
  }
  EXPECT_TRUE(Eventually(absl::Seconds(10),
                         [&] { return engine->Get(keys, absl::Seconds(2)).ok == keys.size(); }));
  const auto other = ConnectEngine();
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->Get(keys, absl::Seconds(2)).ok, keys.size());
}

}  // namespace
}  // namespace cairn::process
