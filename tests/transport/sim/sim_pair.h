// Two hosts with one endpoint each, and handlers that write down what happened to them.
#ifndef CAIRN_TESTS_TRANSPORT_SIM_SIM_PAIR_H_
#define CAIRN_TESTS_TRANSPORT_SIM_SIM_PAIR_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/types/span.h>

#include "base/check.h"
#include "transport/sim/sim_world.h"

namespace cairn::testing {

inline absl::Span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string AsText(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Outcome {
  uint64_t tag = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// One process with one worker; polled by its host.
class Peer final : public Handler {
 public:
  explicit Peer(SimHost& host) : host_(host), worker_(*host.CreateWorker()) {
    host_.Run([this] { return worker_->Poll(*this); });
  }

  void OnAccepted(EndpointId endpoint, const std::string&) override {
    accepted.push_back(endpoint);
  }
  void OnMessage(EndpointId, absl::Span<const std::byte> message) override {
    messages.push_back(AsText(message));
  }
  Landing OnBulkArrival(EndpointId, absl::Span<const std::byte> header, uint64_t bytes) override {
    arrivals.push_back(AsText(header));
    return land ? land(bytes) : Landing::Refuse();
  }
  void OnBulkReceived(EndpointId, uint64_t tag, absl::StatusCode code) override {
    received.push_back({tag, code});
    if (on_received) on_received();
  }
  void OnBulkSent(EndpointId, uint64_t tag, absl::StatusCode code) override {
    sent.push_back({tag, code});
  }
  void OnFailed(EndpointId, const absl::Status& why) override { failures.push_back(why); }
  void OnClosed(EndpointId) override {
    ++closed;
    if (on_closed) on_closed();
  }

  // Endpoint ids of a worker are small and ascending.
  void CloseAll() {
    for (uint64_t id = 1; id <= 16; ++id) worker_->Close(static_cast<EndpointId>(id));
  }
  Worker& worker() { return *worker_; }
  SimHost& host() { return host_; }

  std::function<Landing(uint64_t bytes)> land;
  std::function<void()> on_received;
  std::function<void()> on_closed;
  std::vector<EndpointId> accepted;
  std::vector<std::string> messages;
  std::vector<std::string> arrivals;
  std::vector<Outcome> received;
  std::vector<Outcome> sent;
  std::vector<absl::Status> failures;
  int closed = 0;

 private:
  SimHost& host_;
  std::unique_ptr<Worker> worker_;
};

// Registered memory of one peer.
struct Memory {
  Memory(Peer& peer, size_t size_bytes, std::byte fill)
      : bytes(size_bytes, fill), region(*peer.worker().Register(absl::MakeSpan(bytes))) {}
  RegionSlice slice() const { return {region.get(), 0, bytes.size()}; }

  std::vector<std::byte> bytes;
  std::unique_ptr<Region> region;
};

inline constexpr char kClientIp[] = "10.0.0.1";
inline constexpr char kServerIp[] = "10.0.0.2";

struct Pair {
  explicit Pair(const SimWorldOptions& options = {}) : world(options) {
    world.AddHost(kClientIp);
    world.AddHost(kServerIp);
    client = std::make_unique<Peer>(world.host(kClientIp));
    server = std::make_unique<Peer>(world.host(kServerIp));
    address = *server->worker().Listen("10.0.0.2:7000");
  }

  // To the server; returns when it accepted.
  EndpointId Connect() {
    const size_t before = server->accepted.size();
    const EndpointId endpoint = *client->worker().Connect(address);
    CAIRN_CHECK(Until([&] { return server->accepted.size() > before; }));
    return endpoint;
  }
  // Closes everything, so that no transfer holds any memory.
  void Finish() {
    for (Peer* peer : {client.get(), server.get()}) {
      if (peer == nullptr || !peer->host().alive()) continue;
      peer->host().Continue();
      peer->CloseAll();
    }
    RunFor(absl::Seconds(1));
  }
  bool Until(const std::function<bool()>& done, absl::Duration limit = absl::Seconds(60)) {
    return world.scheduler().RunUntilTrue(done, limit);
  }
  void RunFor(absl::Duration duration) { world.scheduler().RunFor(duration); }
  SimLink& link_to_server() { return world.link(kClientIp, kServerIp); }
  SimLink& link_to_client() { return world.link(kServerIp, kClientIp); }

  SimWorld world;
  std::unique_ptr<Peer> client;
  std::unique_ptr<Peer> server;
  std::string address;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_TRANSPORT_SIM_SIM_PAIR_H_
