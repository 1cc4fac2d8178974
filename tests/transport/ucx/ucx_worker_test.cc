// What every UCX lane keeps: two workers in one process, polled in turn. Over TCP on loopback
// unless the environment names another lane and an address of its adapter, as tests/rdma does.
#include "transport/ucx/ucx_worker.h"

#include <poll.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"
#include "transport/real_network.h"

namespace cairn {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

RealNetworkOptions Options() {
  RealNetworkOptions options;
  options.ucx.tls = FromEnvironment("CAIRN_TEST_UCX_TLS", "tcp");
  return options;
}

std::string AnyPort() { return FromEnvironment("CAIRN_TEST_UCX_HOST", "127.0.0.1") + ":0"; }

std::vector<std::byte> RandomBytes(size_t size, uint64_t seed) {
  std::vector<std::byte> bytes(size);
  SeededRandom random(seed);
  random.Fill(absl::MakeSpan(bytes));
  return bytes;
}

// Records what happens; lands bulks in `landing` when it is set.
class Recorder final : public Handler {
 public:
  void OnAccepted(EndpointId endpoint, const std::string&) override {
    accepted.push_back(endpoint);
  }
  void OnMessage(EndpointId endpoint, absl::Span<const std::byte> message) override {
    last_sender = endpoint;
    messages.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
  }
  Landing OnBulkArrival(EndpointId, absl::Span<const std::byte> header, uint64_t bytes) override {
    ++arrivals;
    last_header.assign(reinterpret_cast<const char*>(header.data()), header.size());
    if (landing == nullptr || bytes > landing->size_bytes()) return Landing::Refuse();
    return {true, {landing, 0, bytes}, 77};
  }
  void OnBulkReceived(EndpointId, uint64_t tag, absl::StatusCode code) override {
    EXPECT_EQ(tag, 77u);
    received.push_back(code);
  }
  void OnBulkSent(EndpointId, uint64_t tag, absl::StatusCode code) override { sent[tag] = code; }
  void OnFailed(EndpointId endpoint, const absl::Status& why) override {
    failed.push_back(endpoint);
    EXPECT_TRUE(absl::IsUnavailable(why)) << why;
  }
  void OnClosed(EndpointId endpoint) override { closed.push_back(endpoint); }

  const Region* landing = nullptr;
  EndpointId last_sender = EndpointId::kNone;
  std::string last_header;
  size_t arrivals = 0;
  std::vector<std::string> messages;
  std::vector<EndpointId> accepted, failed, closed;
  std::vector<absl::StatusCode> received;
  std::map<uint64_t, absl::StatusCode> sent;
};

class UcxWorkerTest : public testing::Test {
 protected:
  UcxWorkerTest()
      : network_(CreateRealNetwork(Options()).value()),
        server_(network_->CreateWorker().value()),
        client_(network_->CreateWorker().value()),
        address_(server_->Listen(AnyPort()).value()) {}

  // Polls both until `done`; false when patience ends.
  template <typename Done>
  bool Until(Done done) {
    const Instant deadline = RealClock().Now() + kPatience;
    while (!done()) {
      if (RealClock().Now() > deadline) return false;
      if (server_ != nullptr) server_->Poll(at_server_);
      if (client_ != nullptr) client_->Poll(at_client_);
    }
    return true;
  }

  void Send(Worker& worker, EndpointId endpoint, const std::string& text) {
    ASSERT_TRUE(
        worker.SendMessage(endpoint, {reinterpret_cast<const std::byte*>(text.data()), text.size()})
            .ok());
  }

  static Bulk MakeBulk(const Region& region, uint64_t bytes, uint64_t tag) {
    static const std::byte header[8] = {};
    return {{header, sizeof(header)}, {&region, 0, bytes}, tag};
  }

  std::unique_ptr<Network> network_;
  Recorder at_server_;
  Recorder at_client_;
  std::unique_ptr<Worker> server_;
  std::unique_ptr<Worker> client_;
  std::string address_;
};

TEST_F(UcxWorkerTest, MessagesArriveInOrderAndCanBeAnswered) {
  const EndpointId endpoint = client_->Connect(address_).value();
  for (int i = 0; i < 1000; ++i) Send(*client_, endpoint, std::to_string(i));
  ASSERT_TRUE(Until([&] { return at_server_.messages.size() == 1000; }));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(at_server_.messages[i], std::to_string(i));
  ASSERT_EQ(at_server_.accepted.size(), 1u);
  EXPECT_EQ(at_server_.last_sender, at_server_.accepted[0]);
  Send(*server_, at_server_.accepted[0], std::string(kTransportMessageBytesMax, 'x'));
  ASSERT_TRUE(Until([&] { return at_client_.messages.size() == 1; }));
  EXPECT_EQ(at_client_.messages[0].size(), kTransportMessageBytesMax);
}

TEST_F(UcxWorkerTest, BulksOfEverySizeArriveWhole) {
  const EndpointId endpoint = client_->Connect(address_).value();
  for (const size_t size : {1ul, 4096ul, 65536ul, 65537ul, 1ul << 20, (4ul << 20) + 3}) {
    std::vector<std::byte> source = RandomBytes(size, size);
    std::vector<std::byte> target(size);
    const auto from = client_->Register(absl::MakeSpan(source)).value();
    const auto to = server_->Register(absl::MakeSpan(target)).value();
    at_server_.landing = to.get();
    at_server_.received.clear();
    at_client_.sent.clear();
    const Bulk bulk = MakeBulk(*from, size, 5);
    ASSERT_TRUE(client_->SendBulks(endpoint, {&bulk, 1}).ok());
    ASSERT_TRUE(Until([&] {
      return at_server_.received.size() == 1 && at_client_.sent.size() == 1;
    })) << size;
    EXPECT_EQ(at_server_.received[0], absl::StatusCode::kOk);
    EXPECT_EQ(at_client_.sent[5], absl::StatusCode::kOk);
    EXPECT_EQ(at_server_.last_header.size(), 8u);
    EXPECT_EQ(source, target) << size;
  }
}

TEST_F(UcxWorkerTest, ARefusedBulkEndsAtTheSender) {
  const EndpointId endpoint = client_->Connect(address_).value();
  std::vector<std::byte> source = RandomBytes(1 << 20, 1);
  const auto from = client_->Register(absl::MakeSpan(source)).value();
  for (const uint64_t size : {4096ul, 1ul << 20}) {
    at_client_.sent.clear();
    const Bulk bulk = MakeBulk(*from, size, 9);
    ASSERT_TRUE(client_->SendBulks(endpoint, {&bulk, 1}).ok());
    ASSERT_TRUE(Until([&] { return at_client_.sent.count(9) == 1; })) << size;
  }
  EXPECT_EQ(at_server_.arrivals, 2u);
  EXPECT_TRUE(at_server_.received.empty());
}

TEST_F(UcxWorkerTest, AfterCloseInMidTransferNothingLands) {
  std::vector<std::byte> source = RandomBytes(16 << 20, 2);
  std::vector<std::byte> target(source.size());
  const auto from = client_->Register(absl::MakeSpan(source)).value();
  const auto to = server_->Register(absl::MakeSpan(target)).value();
  at_server_.landing = to.get();
  for (int round = 0; round < 20; ++round) {
    const EndpointId endpoint = client_->Connect(address_).value();
    const Bulk bulk = MakeBulk(*from, source.size(), 1);
    const size_t arrivals = at_server_.arrivals;
    const size_t closed = at_server_.closed.size();
    const size_t ended = at_server_.received.size();
    ASSERT_TRUE(client_->SendBulks(endpoint, {&bulk, 1}).ok());
    ASSERT_TRUE(Until([&] { return at_server_.arrivals > arrivals; }));
    for (int i = 0; i < round * 7; ++i) client_->Poll(at_client_);
    server_->Close(at_server_.accepted.back());
    ASSERT_TRUE(Until([&] { return at_server_.closed.size() > closed; }));
    EXPECT_EQ(at_server_.received.size(), ended + 1) << "every receive is told before OnClosed";
    std::memset(target.data(), 0x5a, target.size());
    const size_t closed_here = at_client_.closed.size();
    for (int i = 0; i < 1000; ++i) {
      client_->Poll(at_client_);
      server_->Poll(at_server_);
    }
    client_->Close(endpoint);
    ASSERT_TRUE(Until([&] { return at_client_.closed.size() > closed_here; }));
    EXPECT_EQ(at_client_.sent.count(1), 1u);
    for (const std::byte b : target) ASSERT_EQ(b, std::byte{0x5a});
  }
}

TEST_F(UcxWorkerTest, ADeadPeerIsToldInBoundedTime) {
  const EndpointId endpoint = client_->Connect(address_).value();
  Send(*client_, endpoint, "hello");
  ASSERT_TRUE(Until([&] { return !at_server_.messages.empty(); }));
  server_.reset();
  ASSERT_TRUE(Until([&] { return !at_client_.failed.empty(); }));
  EXPECT_EQ(at_client_.failed[0], endpoint);
  EXPECT_TRUE(absl::IsUnavailable(client_->SendMessage(endpoint, RandomBytes(8, 1))));
  client_->Close(endpoint);
  ASSERT_TRUE(Until([&] { return at_client_.closed.size() == 1; }));
}

TEST_F(UcxWorkerTest, ADeadPortFailsTheEndpoint) {
  server_.reset();
  const EndpointId endpoint = client_->Connect(address_).value();
  ASSERT_TRUE(Until([&] { return !at_client_.failed.empty(); }));
  client_->Close(endpoint);
  ASSERT_TRUE(Until([&] { return at_client_.closed.size() == 1; }));
}

TEST_F(UcxWorkerTest, TooManyBulksAreRefusedAllOrNone) {
  const EndpointId endpoint = client_->Connect(address_).value();
  std::vector<std::byte> source(128 << 10);
  const auto from = client_->Register(absl::MakeSpan(source)).value();
  const std::vector<Bulk> bulks(kBulksInFlightMax + 1, MakeBulk(*from, source.size(), 1));
  EXPECT_TRUE(absl::IsResourceExhausted(client_->SendBulks(endpoint, bulks)));
  for (int i = 0; i < 100; ++i) {
    client_->Poll(at_client_);
    server_->Poll(at_server_);
  }
  EXPECT_EQ(at_server_.arrivals, 0u);
}

TEST_F(UcxWorkerTest, NoWakeUpIsLost) {
  const EndpointId endpoint = client_->Connect(address_).value();
  Send(*client_, endpoint, "0");
  size_t asleep = 0;
  for (size_t seen = 0; seen < 3000;) {
    if (at_server_.messages.size() > seen) {
      seen = at_server_.messages.size();
      Send(*server_, at_server_.accepted[0], "pong");
      server_->Poll(at_server_);
    }
    while (client_->Poll(at_client_) > 0) Send(*client_, endpoint, "ping");
    if (server_->Poll(at_server_) > 0 || !server_->Arm() || server_->Poll(at_server_) > 0) continue;
    if (!client_->Arm() || client_->Poll(at_client_) > 0) {
      Send(*client_, endpoint, "ping");
      continue;
    }
    pollfd waiting[] = {{server_->event_fd(), POLLIN, 0}, {client_->event_fd(), POLLIN, 0}};
    ASSERT_GT(poll(waiting, 2, 5000), 0) << "slept with work pending after " << seen;
    ++asleep;
  }
  EXPECT_GT(asleep, 0u);
}

TEST_F(UcxWorkerTest, BadAddressesNameTheRemedy) {
  for (const char* address : {"", "127.0.0.1", "host:1", "127.0.0.1:99999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(client_->Connect(address).status())) << address;
  }
  EXPECT_FALSE(client_->Listen(address_).ok()) << "the port is taken";
}

}  // namespace
}  // namespace cairn
