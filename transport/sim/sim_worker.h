// The simulated lane's door for one thread. Made by SimHost::CreateWorker.
#ifndef CAIRN_TRANSPORT_SIM_SIM_WORKER_H_
#define CAIRN_TRANSPORT_SIM_SIM_WORKER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "transport/sim/sim_connection.h"
#include "transport/sim/sim_fabric.h"
#include "transport/transport.h"

namespace cairn {

class SimWorker;

// Counts the transfers that may touch it and refuses, by CHECK, to die before them.
class SimRegion final : public Region {
 public:
  SimRegion(SimWorker& worker, absl::Span<std::byte> memory);
  ~SimRegion() override;
  SimRegion(const SimRegion&) = delete;
  SimRegion& operator=(const SimRegion&) = delete;

  SimWorker& worker() const { return worker_; }
  void Hold() { ++holds_; }
  void LetGo();

 private:
  SimWorker& worker_;
  size_t holds_ = 0;
};

// What waits for the next Poll.
struct SimEvent {
  enum class Kind { kAccepted, kMessage, kBulkArrival, kReceived, kSent, kFailed, kClosed };
  Kind kind{};
  uint64_t endpoint = 0;
  uint64_t transfer = 0;                          // kBulkArrival, kReceived, kSent
  uint64_t tag = 0;                               // kReceived, kSent
  absl::StatusCode code = absl::StatusCode::kOk;  // kReceived, kSent
  std::string bytes;                              // kMessage; kAccepted: the peer
  absl::Status why;                               // kFailed
};

class SimWorker final : public Worker {
 public:
  // wake: called when an event waits for Poll.
  SimWorker(SimFabric& fabric, SimHostId host, std::function<void()> wake);
  ~SimWorker() override;
  SimWorker(const SimWorker&) = delete;
  SimWorker& operator=(const SimWorker&) = delete;

  absl::StatusOr<std::string> Listen(const std::string& address) override;
  absl::StatusOr<EndpointId> Connect(const std::string& address) override;
  absl::StatusOr<std::unique_ptr<Region>> Register(absl::Span<std::byte> memory) override;
  void Close(EndpointId endpoint) override;
  // Handles a few of the waiting events, how many is drawn from the seed. A caller that polls in a
  // loop while simulated time stands still (a destructor) sees its closes complete after
  // kSimStandstillPolls.
  size_t Poll(Handler& handler) override;
  int event_fd() const override { return -1; }
  bool Arm() override { return inbox_.empty(); }
  void Wake() override { wake_(); }
  std::string Describe() const override { return "sim"; }
  std::string_view transport() const override { return "sim"; }

  SimHostId host() const { return host_; }
  // For connections. 0: kEndpointsMax reached, or the process is dead.
  uint64_t AddAccepted(uint64_t connection, const std::string& peer);
  void Push(SimEvent event);
  void QueueClosed(uint64_t endpoint);
  // The landing memory [begin, begin + bytes) belongs to one transfer only.
  void ClaimLanding(const std::byte* begin, uint64_t bytes);
  void UnclaimLanding(const std::byte* begin);
  void CountRegion(int change) { regions_ += change; }

 private:
  struct Endpoint {
    uint64_t connection = 0;
    SimSide side = 0;
    bool failed = false;
    bool closing = false;
    bool closed_queued = false;
  };

  absl::Status DoSendMessage(EndpointId endpoint, absl::Span<const std::byte> message) override;
  absl::Status DoSendBulks(EndpointId endpoint, absl::Span<const Bulk> bulks) override;
  absl::StatusOr<SimConnection*> FindOpen(EndpointId endpoint, SimSide* side);
  uint64_t AddEndpoint(uint64_t connection, SimSide side);
  bool alive() const;
  void CompleteClosesAtStandstill();
  void Handle(SimEvent& event, Handler& handler);
  void HandleBulkArrival(const SimEvent& event, Endpoint& endpoint, Handler& handler);
  void HandleClosed(const SimEvent& event, Endpoint endpoint, Handler& handler);
  void Trace(const SimEvent& event);

  SimFabric& fabric_;
  const SimHostId host_;
  const uint64_t boot_;
  const uint64_t id_;
  const std::function<void()> wake_;
  std::deque<SimEvent> inbox_;  // bounded by the in-flight limits of each endpoint
  std::map<uint64_t, Endpoint> endpoints_;
  std::map<const std::byte*, uint64_t> landings_;
  uint64_t last_endpoint_ = 0;
  int regions_ = 0;
  bool polling_ = false;
  Instant last_idle_poll_ = kNever;
  size_t standstill_polls_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_WORKER_H_
