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
constexpr int kDataPortConnections = 6000;
constexpr int kBurst = 200;  // connections before the servers must have closed what came before
constexpr double kGrowthMax_kib = 32 * 1024;
constexpr absl::Duration kPatience = absl::Seconds(20);  // garbage may wait 5 s for its end

// A truncated or senseless beginning of each protocol that listens, or noise.
std::string MakeGarbage(Random& random) {
  static const std::string kBeginnings[] = {"", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                            "GET /metrics HTTP/1.1\r\nHost: ", "CIRN",
                                            std::string(8, '\0')};
  std::string text = kBeginnings[random.Below(std::size(kBeginnings))];
  const size_t noise = random.Below(200);
  for (size_t i = 0; i < noise; ++i) text += static_cast<char>(random.Below(256));
  return text;
}

// What UCX 1.13 dies of, if it ever reads it (docs/transports.md, "Known limits"): more bytes than
// the small little-endian number that they begin with, or as many, which then are no address.
std::string MakeFatalGarbage(Random& random) {
  const size_t length = random.Below(300);
  std::string text(16, '\0');
  text[0] = static_cast<char>(length & 0xff);
  text[1] = static_cast<char>(length >> 8);
  const size_t content = random.Below(2) == 0 ? length : length + 1 + random.Below(100);
  const bool zeros = random.Below(3) == 0;
  for (size_t i = 0; i < content; ++i) text += static_cast<char>(zeros ? 0 : random.Below(256));
  return text;
}

void SendGarbage(const std::string& address, Random& random, const std::string& text) {
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

class Garbage : public ClusterTest {
 protected:
  // One coordinator, one node, sixteen blocks.
  void StartFilled() {
    Start(1, 128u << 20);
    engine = ConnectEngine();
    ASSERT_NE(engine, nullptr);
    keys = engine->Keys(1, 16);
    ASSERT_EQ(engine->Put(keys, absl::Seconds(2)).ok, keys.size());
    for (ChildProcess& process : cluster->processes()) pids.push_back(process.pid());
    files_before = Files();
  }

  size_t Files() const {
    return std::transform_reduce(pids.begin(), pids.end(), size_t{0}, std::plus<>(), OpenFiles);
  }
  // Everything but the last burst has been closed again.
  bool CaughtUp(size_t burst) const {
    return Eventually(kPatience, [&] { return Files() <= files_before + burst; });
  }
  void RememberMemory() {
    for (const pid_t pid : pids) memory_before_kib.push_back(ResidentKib(pid));
  }

  // A node that closes a burst may answer late and be asked again after a pause.
  static bool GetsAll(Engine& from, const std::vector<BlockKey>& wanted) {
    return Eventually(kPatience,
                      [&] { return from.Get(wanted, absl::Seconds(2)).ok == wanted.size(); });
  }

  void ExpectUnharmed() {
    EXPECT_TRUE(CaughtUp(0)) << Files() << " open files, " << files_before << " before";
    for (size_t i = 0; i < pids.size(); ++i) {
      EXPECT_TRUE(cluster->processes()[i].running());
      EXPECT_LT(ResidentKib(pids[i]) - memory_before_kib[i], kGrowthMax_kib) << "process " << i;
    }
    EXPECT_TRUE(GetsAll(*engine, keys));
    const auto other = ConnectEngine();
    ASSERT_NE(other, nullptr);
    EXPECT_TRUE(GetsAll(*other, keys));
  }

  std::unique_ptr<Engine> engine;
  std::vector<BlockKey> keys;
  std::vector<pid_t> pids;
  size_t files_before = 0;
  std::vector<double> memory_before_kib;
};

TEST_F(Garbage, LeavesServersAliveAndTheirMemoryFlat) {
  StartFilled();
  std::vector<std::string> ports;
  for (const pid_t pid : pids) {
    for (std::string& port : ListeningPorts(pid)) ports.push_back(std::move(port));
  }
  ASSERT_GE(ports.size(), 4u);  // control, data, HTTP twice
  ASSERT_THAT(ports, ::testing::Contains(cluster->node_data()[0]));
  SeededRandom random(7);
  for (int i = 0; i < kConnections; ++i) {
    if (i % kBurst == 0) {
      ASSERT_TRUE(CaughtUp(kBurst));
    }
    const std::string& port = ports[static_cast<size_t>(i) % ports.size()];
    // An HTTP port takes its connections one by one: fewer go there.
    const bool http = port == cluster->coordinator_http() || port == cluster->node_http()[0];
    SendGarbage(http && random.Below(20) > 0 ? cluster->coordinator() : port, random,
                MakeGarbage(random));
    if (i == kConnections / 5) RememberMemory();  // caches and pools are warm
  }
  ExpectUnharmed();
}

TEST_F(Garbage, ThatUcxDiesOfNeverReachesIt) {
  StartFilled();
  SeededRandom random(8);
  for (int i = 0; i < kDataPortConnections; ++i) {
    if (i % kBurst == 0) {
      ASSERT_TRUE(CaughtUp(kBurst * 5));
      ASSERT_TRUE(cluster->processes().back().running()) << "after " << i;
      const auto other = ConnectEngine();
      ASSERT_NE(other, nullptr);
      const std::vector<BlockKey> fresh = other->Keys(2 + static_cast<uint64_t>(i), 4);
      // A newcomer's connection may have to be tried again while the burst is being closed.
      EXPECT_TRUE(Eventually(
          kPatience, [&] { return other->Put(fresh, absl::Seconds(2)).ok == fresh.size(); }))
          << "after " << i;
      EXPECT_TRUE(GetsAll(*other, fresh)) << "after " << i;
      EXPECT_TRUE(GetsAll(*engine, keys)) << "after " << i;
    }
    SendGarbage(cluster->node_data()[0], random,
                random.Below(4) == 0 ? MakeGarbage(random) : MakeFatalGarbage(random));
    if (i == kDataPortConnections / 3) RememberMemory();
  }
  ExpectUnharmed();
}

}  // namespace
}  // namespace cairn::process
