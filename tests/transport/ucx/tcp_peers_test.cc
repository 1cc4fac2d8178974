// Peers of a worker's TCP port that are not Cairn's, that leave in the middle, or that come while
// it ends.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/handle.h"
#include "tests/transport/ucx/connection_request.h"
#include "transport/real_network.h"
#include "transport/silent_handler.h"
#include "transport/ucx/tcp_sockets.h"
#include "transport/ucx/ucx_worker.h"

namespace cairn {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr const char* kGuarded = "tcp";
constexpr const char* kUnguarded = "tcp,self";  // with other lanes there is no guard

class CountsAccepted final : public SilentHandler {
 public:
  void OnAccepted(EndpointId, const std::string&) override { ++accepted; }

  size_t accepted = 0;
};

class TcpPeersTest : public testing::Test {
 protected:
  static std::unique_ptr<Network> NetworkOver(const char* tls) {
    RealNetworkOptions options;
    options.ucx.tls = tls;
    return CreateRealNetwork(options).value();
  }

  CountsAccepted handler_;
};

sockaddr_in OnLoopback(const std::string& address) {
  sockaddr_in parsed{};
  parsed.sin_family = AF_INET;
  parsed.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  parsed.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  return parsed;
}

// A UCX peer that is none of ours: connects with `client_id`, or none when 0.
ucs_status_t ConnectAsForeigner(const std::string& address, uint64_t client_id,
                                const std::function<void()>& meanwhile) {
  const UcpContext context = CreateUcpContext({}).value();
  ucp_worker_params_t worker_params{};
  worker_params.field_mask = UCP_WORKER_PARAM_FIELD_CLIENT_ID;
  worker_params.client_id = client_id;
  ucp_worker_h raw = nullptr;
  EXPECT_EQ(ucp_worker_create(context.get(), &worker_params, &raw), UCS_OK);
  const Handle<ucp_worker_h, ucp_worker_destroy, nullptr> worker(raw);
  const sockaddr_in peer = OnLoopback(address);
  ucs_status_t failure = UCS_INPROGRESS;
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
  params.flags =
      UCP_EP_PARAMS_FLAGS_CLIENT_SERVER | (client_id == 0 ? 0 : UCP_EP_PARAMS_FLAGS_SEND_CLIENT_ID);
  params.sockaddr = {reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)};
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = [](void* told, ucp_ep_h, ucs_status_t status) {
    *static_cast<ucs_status_t*>(told) = status;
  };
  params.err_handler.arg = &failure;
  ucp_ep_h endpoint = nullptr;
  EXPECT_EQ(ucp_ep_create(worker.get(), &params, &endpoint), UCS_OK);
  const Instant deadline = RealClock().Now() + kPatience;
  while (failure == UCS_INPROGRESS && RealClock().Now() < deadline) {
    ucp_worker_progress(worker.get());
    meanwhile();
  }
  return failure;
}

TEST_F(TcpPeersTest, AForeignUcxPeerIsRefused) {
  const auto refuse = [&](const char* tls, uint64_t client_id) {
    const auto network = NetworkOver(tls);
    const auto listening = network->CreateWorker().value();
    const std::string address = listening->Listen("127.0.0.1:0").value();
    EXPECT_LT(ConnectAsForeigner(address, client_id, [&] { listening->Poll(handler_); }), 0)
        << tls << " " << client_id;
  };
  refuse(kGuarded, 0);  // when the guard's patience ends
  refuse(kUnguarded, 0);
  refuse(kUnguarded, kUcxClientId ^ 1);
  EXPECT_EQ(handler_.accepted, 0u);
}

FileDescriptor ConnectedSocket(const sockaddr_in& address) {
  FileDescriptor peer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return peer;
}

size_t AcceptedAt(const sockaddr_in& address) {
  size_t accepted = 0;
  const int end = DescriptorsEnd();
  for (int i = 0; i < end; ++i) accepted += IsAccepted(i, address) ? 1 : 0;
  return accepted;
}

TEST_F(TcpPeersTest, OfARefusedPeerThatIsGoneNothingStays) {
  const auto network = NetworkOver(kUnguarded);
  const auto refusing = network->CreateWorker().value();
  const sockaddr_in address = OnLoopback(refusing->Listen("127.0.0.1:0").value());
  std::atomic<int> left = 15000;
  std::thread peers([&] {
    const std::string request = ConnectionRequest(kUcxClientId ^ 1);
    for (; left > 0; --left) {
      const FileDescriptor peer = ConnectedSocket(address);
      send(peer.get(), request.data(), request.size(), MSG_NOSIGNAL);
      // Before, while and after its request is looked at.
      const Instant end = RealClock().Now() + absl::Nanoseconds(100 * (left % 200));
      while (RealClock().Now() < end) {
      }
      const linger reset{1, 0};
      setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
  });
  while (left > 0) refusing->Poll(handler_);
  peers.join();
  const Instant deadline = RealClock().Now() + kPatience;
  while (AcceptedAt(address) > 0 && RealClock().Now() < deadline) refusing->Poll(handler_);
  EXPECT_EQ(AcceptedAt(address), 0u);
}

// A worker that ends while peers connect to it: UCX's thread accepts and reads beside it.
TEST_F(TcpPeersTest, EndsWhilePeersConnect) {
  for (const char* tls : {kGuarded, kUnguarded}) {
    const auto network = NetworkOver(tls);
    for (int round = 0; round < 100; ++round) {
      auto ending = network->CreateWorker().value();
      const sockaddr_in address = OnLoopback(ending->Listen("127.0.0.1:0").value());
      const std::string request = ConnectionRequest(kUcxClientId);
      std::vector<FileDescriptor> peers;
      for (int i = 0; i < 40; ++i) {
        peers.push_back(ConnectedSocket(address));
        // The others stay silent, so that none but the worker ends them.
        if (i % 4 != 0) send(peers.back().get(), request.data(), request.size(), MSG_NOSIGNAL);
      }
      ending.reset();
      for (const FileDescriptor& peer : peers) {
        std::string told(256, '\0');
        const timeval patience{20, 0};
        setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        ssize_t length = 0;
        while ((length = recv(peer.get(), told.data(), told.size(), 0)) > 0) {
        }
        EXPECT_TRUE(length == 0 || errno == ECONNRESET) << std::strerror(errno);
      }
    }
  }
}

}  // namespace
}  // namespace cairn
