// The guard before a plain listening socket that stands for UCX's.
#include "transport/ucx/tcp_listener_guard.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "base/handle.h"
#include "base/random.h"
#include "tests/transport/ucx/connection_request.h"

namespace cairn {
namespace {

constexpr uint64_t kClientId = 0x1122334455667788;
constexpr int kPatience_ms = 5000;
constexpr int kDropped_ms = 30;  // loopback delivers while send() runs; this is for the scheduler
constexpr absl::Duration kNever = absl::Hours(1);

std::string Request(uint64_t client_id = kClientId, const std::string& rest = "addresses",
                    uint64_t length_error = 0) {
  return ConnectionRequest(client_id, rest, length_error);
}

class TcpListenerGuardTest : public testing::Test {
 protected:
  TcpListenerGuardTest() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address_);
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(bind(listener_.get(), address, bytes), 0);
    EXPECT_EQ(listen(listener_.get(), 64), 0);
    EXPECT_EQ(getsockname(listener_.get(), address, &bytes), 0);
  }

  void SetUp() override { Guard(kNever); }

  void Guard(absl::Duration period) {
    auto guard = TcpListenerGuard::Create(address_, kClientId, period);
    if (absl::IsUnimplemented(guard.status())) GTEST_SKIP() << guard.status();
    ASSERT_TRUE(guard.ok()) << guard.status();
    guard_ = *std::move(guard);
  }

  struct Connection {
    FileDescriptor peer;      // who connects
    FileDescriptor accepted;  // what UCX would read
    sockaddr_in peer_address{};
  };

  Connection Connect() {
    Connection made;
    made.peer.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int now = 1;
    setsockopt(made.peer.get(), IPPROTO_TCP, TCP_NODELAY, &now, sizeof(now));
    EXPECT_EQ(connect(made.peer.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)),
              0);
    socklen_t bytes = sizeof(made.peer_address);
    made.accepted.Reset(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&made.peer_address),
                                &bytes, SOCK_CLOEXEC));
    EXPECT_TRUE(made.accepted);
    return made;
  }

  static void Send(const FileDescriptor& peer, const std::string& bytes) {
    EXPECT_EQ(send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  static bool Readable(const FileDescriptor& socket, int patience_ms) {
    pollfd waiting{socket.get(), POLLIN, 0};
    return poll(&waiting, 1, patience_ms) == 1;
  }

  // What the next read gives: "" at the end of the stream, "error" after a reset.
  static std::string Read(const FileDescriptor& socket) {
    if (!Readable(socket, kPatience_ms)) return "nothing";
    std::string bytes(4096, '\0');
    const ssize_t length = recv(socket.get(), bytes.data(), bytes.size(), 0);
    return length < 0 ? "error" : bytes.substr(0, static_cast<size_t>(length));
  }

  const FileDescriptor listener_;
  sockaddr_in address_{};
  std::unique_ptr<TcpListenerGuard> guard_;
};

TEST_F(TcpListenerGuardTest, AWholeRequestArrivesAsItIs) {
  for (const size_t rest : {0, 1, 100, 255, 256, 500, 2000, 20000}) {
    const Connection connection = Connect();
    const std::string request = Request(kClientId, std::string(rest, 'x'));
    Send(connection.peer, request);
    std::string read;
    while (read.size() < request.size()) {
      const std::string more = Read(connection.accepted);
      ASSERT_NE(more, "nothing") << rest;
      read += more;
    }
    EXPECT_EQ(read, request);
  }
}

TEST_F(TcpListenerGuardTest, NothingElseArrives) {
  SeededRandom random(1);
  std::string noise(300, '\0');
  for (char& c : noise) c = static_cast<char>(random.Below(256));
  const std::string header = absl::StrCat(Bytes(uint64_t{100}), std::string(8, '\0'));
  std::string refused = Request();
  refused[8] = 1;  // status
  std::string huge = Request();
  huge[2] = 1;
  std::string vast = Request();
  vast[7] = 1;
  const std::string garbage[] = {
      "x", "GET / HTTP/1.1\r\n\r\n", noise, noise.substr(0, 16), std::string(1, '\0'),
      std::string(15, '\0'), std::string(16, '\0'), std::string(20, '\0'), std::string(400, '\0'),
      // A header that is right, then nothing, too little, too much, or no client.
      header, absl::StrCat(header, noise.substr(0, 100)), Request(kClientId, "rest", 1),
      Request(kClientId, "rest", uint64_t(-1)), refused, huge, vast, Request(kClientId ^ 1),
      Request(kClientId ^ (1ull << 63)), Request().substr(0, 35), absl::StrCat(Request(), "x"),
      absl::StrCat("x", Request())};
  std::vector<Connection> connections;
  for (const std::string& bytes : garbage) {
    connections.push_back(Connect());
    Send(connections.back().peer, bytes);
  }
  EXPECT_FALSE(Readable(connections[0].accepted, kDropped_ms));
  for (size_t i = 0; i < connections.size(); ++i) {
    EXPECT_FALSE(Readable(connections[i].accepted, 0)) << i;
    EXPECT_FALSE(Readable(connections[i].peer, 0)) << i;
  }
}

TEST_F(TcpListenerGuardTest, ARequestInPiecesArrivesWhenItsSenderRepeatsIt) {
  const Connection connection = Connect();
  const std::string request = Request();
  Send(connection.peer, request.substr(0, 10));
  Send(connection.peer, request.substr(10));
  EXPECT_FALSE(Readable(connection.accepted, 0));
  EXPECT_EQ(Read(connection.accepted), request);
}

TEST_F(TcpListenerGuardTest, AnAdmittedSocketReceivesEverything) {
  std::vector<Connection> connections(200);
  for (Connection& connection : connections) connection = Connect();
  std::reverse(connections.begin() + 100, connections.end());  // not in the order of descriptors
  for (const Connection& connection : connections) {
    ASSERT_TRUE(guard_->Admit(connection.peer_address));
    EXPECT_FALSE(guard_->Admit(connection.peer_address)) << "once";
    Send(connection.peer, std::string(16, '\0'));
    EXPECT_EQ(Read(connection.accepted), std::string(16, '\0'));
  }
  sockaddr_in stranger = address_;
  stranger.sin_port = 1;
  EXPECT_FALSE(guard_->Admit(stranger));
}

TEST_F(TcpListenerGuardTest, TheEndOfAPeerIsSeen) {
  Connection connection = Connect();
  connection.peer.Reset();
  EXPECT_EQ(Read(connection.accepted), "");
}

TEST_F(TcpListenerGuardTest, SocketsWithoutARequestAreAborted) {
  Guard(absl::Milliseconds(20));
  const Connection silent = Connect();
  Connection garbage = Connect();
  Send(garbage.peer, "garbage");
  Connection gone = Connect();
  Send(gone.peer, "garbage");
  gone.peer.Reset();
  const Connection admitted = Connect();
  Send(admitted.peer, Request());
  ASSERT_TRUE(guard_->Admit(admitted.peer_address));
  EXPECT_EQ(Read(admitted.accepted), Request());
  EXPECT_EQ(Read(silent.accepted), "");
  EXPECT_EQ(Read(garbage.accepted), "");
  EXPECT_EQ(Read(gone.accepted), "");
  garbage.accepted.Reset();  // as UCX does
  EXPECT_EQ(Read(garbage.peer), "") << "its peer is told";
  EXPECT_FALSE(Readable(admitted.accepted, 20 * 2 * TcpListenerGuard::kPeriodsMax));
  Send(admitted.peer, "more");
  EXPECT_EQ(Read(admitted.accepted), "more");
  EXPECT_GE(Connect().accepted.get(), 0) << "the listener goes on";
}

TEST_F(TcpListenerGuardTest, OnlyAListeningSocketOfThatAddressIsGuarded) {
  sockaddr_in other = address_;
  other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  EXPECT_TRUE(absl::IsNotFound(TcpListenerGuard::Create(other, kClientId).status()));
  const Connection connection = Connect();
  EXPECT_TRUE(
      absl::IsNotFound(TcpListenerGuard::Create(connection.peer_address, kClientId).status()));
}

}  // namespace
}  // namespace cairn
