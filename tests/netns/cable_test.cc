// The cable does what its conditions say: the tests over it rely on that.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/netns/two_hosts.h"

namespace cairn::netns {
namespace {

constexpr uint16_t kPort = 7000;
constexpr int kBurst = 50;  // fits into a socket's buffer
constexpr absl::Duration kSoon = absl::Milliseconds(500);

sockaddr_in AddressOf(const char* host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

// A datagram socket on one host, connected to the other.
FileDescriptor Connect(const Host& host, const char* own, const char* peer) {
  FileDescriptor socket_fd;
  std::thread([&] {
    host.Enter();
    socket_fd = FileDescriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in from = AddressOf(own), to = AddressOf(peer);
    EXPECT_EQ(bind(socket_fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)), 0);
    EXPECT_EQ(connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }).join();
  return socket_fd;
}

class CableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TwoHosts::Create();
    if (CannotHave(created.status())) GTEST_SKIP() << created.status();
    ASSERT_TRUE(created.ok()) << created.status();
    hosts.emplace(*std::move(created));
    client = Connect(hosts->client, kClientHost, kServerHost);
    server = Connect(hosts->server, kServerHost, kClientHost);
  }
  // The number in a datagram, or nothing within the timeout.
  static std::optional<int> Receive(const FileDescriptor& at, absl::Duration timeout = kSoon) {
    pollfd waiting{at.get(), POLLIN, 0};
    int number = 0;
    if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) != 1) return {};
    if (recv(at.get(), &number, sizeof(number), 0) != sizeof(number)) return {};
    return number;
  }
  // A datagram of 1,000 bytes with its headers.
  static void Send(const FileDescriptor& from, int number) {
    std::array<std::byte, 972> payload{};
    std::memcpy(payload.data(), &number, sizeof(number));
    EXPECT_EQ(send(from.get(), payload.data(), payload.size(), 0),
              static_cast<ssize_t>(payload.size()));
  }
  absl::Duration RoundTrip() {
    const Instant begun = RealClock().Now();
    Send(client, 1);
    EXPECT_EQ(Receive(server), 1);
    Send(server, 2);
    EXPECT_EQ(Receive(client), 2);
    return RealClock().Now() - begun;
  }

  std::optional<TwoHosts> hosts;
  FileDescriptor client;
  FileDescriptor server;
};

TEST_F(CableTest, DelaysEachWay) {
  hosts->cable->Set({.delay = absl::Milliseconds(20)});
  absl::Duration least = absl::InfiniteDuration();
  for (int i = 0; i < 10; ++i) {
    const absl::Duration taken = RoundTrip();
    EXPECT_GE(taken, absl::Milliseconds(40));
    least = std::min(least, taken);
  }
  EXPECT_LT(least, absl::Milliseconds(60));
}

TEST_F(CableTest, JitterKeepsTheOrder) {
  hosts->cable->Set({.jitter = absl::Milliseconds(10)});
  for (int i = 0; i < kBurst; ++i) Send(client, i);
  for (int i = 0; i < kBurst; ++i) EXPECT_EQ(Receive(server), i);
}

TEST_F(CableTest, LosesItsShare) {
  constexpr int kSent = 1000;
  hosts->cable->Set({.loss = 0.2});
  int received = 0;
  for (int i = 0; i < kSent; ++i) {
    Send(client, i);
    received += Receive(server, absl::Milliseconds(2)).has_value();
  }
  while (Receive(server, absl::Milliseconds(50))) ++received;
  EXPECT_GT(received, kSent * 0.7);
  EXPECT_LT(received, kSent * 0.9);
}

TEST_F(CableTest, LimitsTheSpeedAndDropsWhatTheQueueCannotHold) {
  hosts->cable->Set({.bits_per_second = 8'000'000});  // a datagram in a millisecond
  const Instant begun = RealClock().Now();
  for (int i = 0; i < 100; ++i) Send(client, i);
  int received = 0;
  while (Receive(server)) ++received;
  EXPECT_GT(RealClock().Now() - begun, absl::Milliseconds(received));
  EXPECT_GE(received, 50);
  EXPECT_LT(received, 100);
}

TEST_F(CableTest, ACutIsOneWayAndTakesWhatIsUnderWay) {
  hosts->cable->Set({.delay = absl::Milliseconds(100)});
  Send(client, 1);
  hosts->cable->Set({.cut_to_second = true});
  Send(client, 2);
  Send(server, 3);
  EXPECT_EQ(Receive(client), 3);
  EXPECT_EQ(Receive(server), std::nullopt);
  hosts->cable->Set({});
  Send(client, 4);
  EXPECT_EQ(Receive(server), 4);
}

}  // namespace
}  // namespace cairn::netns
