// The wires between simulated hosts: who reaches whom, how late, and what is lost on the way.
//
// Internal to transport/sim but for the structs of options, which tests set through SimWorld.
#ifndef CAIRN_TRANSPORT_SIM_SIM_FABRIC_H_
#define CAIRN_TRANSPORT_SIM_SIM_FABRIC_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include "transport/sim/sim_scheduler.h"

namespace cairn {

class SimConnection;
class SimControlChannel;
class SimWorker;

// One direction between two hosts. Probabilities are parts per million. May change at any time.
struct SimLink {
  absl::Duration delay = absl::Microseconds(15);
  absl::Duration jitter = absl::Microseconds(15);  // uniform, on top
  uint64_t bytes_per_second = 10'000'000'000;
  bool cut = false;  // nothing arrives; both directions of a pair make a partition
  // Of each message, announcement and piece of a bulk. Connections are reliable: what is lost comes
  // later, everything behind it waits, and a connection that stalls too long fails.
  uint32_t loss_ppm = 0;
  uint32_t reset_ppm = 0;    // of each message: the connection breaks on both sides
  uint32_t corrupt_ppm = 0;  // of each piece of a bulk: one bit flips after it landed
  // What no honest lane does; for hardening the code above.
  uint32_t corrupt_header_ppm = 0;  // of each message and bulk header: one bit flips
  uint32_t duplicate_ppm = 0;       // of each message and bulk: arrives twice
  uint32_t reorder_ppm = 0;         // of each message: the next one overtakes it
};

// How connections of the whole world behave.
struct SimTimings {
  absl::Duration retransmit_min = absl::Milliseconds(5);  // doubles at each loss in a row
  absl::Duration retransmit_max = absl::Seconds(1);
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration stall_timeout = absl::Seconds(20);   // of a sender that gets nothing through
  absl::Duration close_min = absl::Microseconds(20);  // from Close() to OnClosed()
  absl::Duration close_max = absl::Milliseconds(2);
};

struct SimWorldOptions {
  uint64_t seed = 1;
  SimLink link;  // of every pair until changed
  SimTimings timings;
  // Compares each bulk's source when its send ends with what it was when it began. Off where a test
  // itself flips bits in sources.
  bool check_sources = true;
  // How often a lane writes garbage into a destination between Close() and OnClosed(), as it may.
  uint32_t scribble_ppm = 500'000;
};

enum class SimHostId : uint32_t {};

// What the wires see of a host.
struct SimHostState {
  std::string ip;
  bool powered = true;   // its kernel answers: resets for connections it does not know
  bool alive = true;     // its process exists
  bool stopped = false;  // SIGSTOP: the kernel goes on, the process does not
  uint64_t boots = 1;    // of its process
  uint64_t bytes_per_second = UINT64_MAX;  // over each of its links
  uint16_t next_port = 20000;
};

struct SimService {
  SimHostId host;
  std::function<absl::StatusOr<std::string>(const std::string& method, const std::string& request)>
      handle;
};

class SimFabric {
 public:
  explicit SimFabric(const SimWorldOptions& options);
  ~SimFabric();
  SimFabric(const SimFabric&) = delete;
  SimFabric& operator=(const SimFabric&) = delete;

  SimScheduler& scheduler() { return scheduler_; }
  const SimWorldOptions& options() const { return options_; }
  const SimTimings& timings() const { return options_.timings; }

  SimHostId AddHost(const std::string& ip);
  SimHostState& host(SimHostId id) { return hosts_[static_cast<size_t>(id)]; }
  // The host of "ip:port"; kInvalidArgument: none has this ip.
  absl::StatusOr<SimHostId> HostOf(const std::string& address) const;
  SimLink& link(SimHostId from, SimHostId to);
  // Port 0 takes a free one. kInvalidArgument: not an address of this host.
  absl::StatusOr<std::string> BindAddress(SimHostId host, const std::string& address);

  // When `bytes` that start now reach the other end; they occupy the link until then.
  Instant ArrivalTime(SimHostId from, SimHostId to, size_t bytes);
  // Draws whether something in flight arrives: the path is whole, both kernels run, it is not lost.
  bool Arrives(SimHostId from, SimHostId to);

  // Null: closed on both sides.
  SimConnection* FindConnection(uint64_t id);
  SimConnection& AddConnection(SimHostId initiator, SimWorker& worker, uint64_t endpoint,
                               SimHostId target, const std::string& address);
  // From the connection itself, when both ends are gone; takes effect with the next event.
  void ForgetConnection(uint64_t id);
  // Ends everything that the host's process holds. silent: peers are not told.
  void DropConnectionsOf(SimHostId host, bool silent);

  void DropListenersOf(SimHostId host);

  // Called before a lane writes into these bytes of a destination.
  using LandingObserver = std::function<void(absl::Span<const std::byte> destination)>;
  void set_landing_observer(LandingObserver observer) { landing_observer_ = std::move(observer); }
  void ObserveLanding(absl::Span<const std::byte> destination) {
    if (landing_observer_) landing_observer_(destination);
  }

  std::map<std::string, SimWorker*>& listeners() { return listeners_; }
  std::map<std::string, SimService>& services() { return services_; }
  std::map<uint64_t, SimControlChannel*>& channels() { return channels_; }
  uint64_t NextId() { return ++last_id_; }

 private:
  struct Wire {
    SimLink link;
    Instant busy_until{};
  };
  Wire& wire(SimHostId from, SimHostId to);

  SimScheduler scheduler_;
  const SimWorldOptions options_;
  std::vector<SimHostState> hosts_;
  std::map<std::pair<SimHostId, SimHostId>, Wire> wires_;
  std::map<uint64_t, std::unique_ptr<SimConnection>> connections_;
  std::map<std::string, SimWorker*> listeners_;
  std::map<std::string, SimService> services_;
  std::map<uint64_t, SimControlChannel*> channels_;
  LandingObserver landing_observer_;
  uint64_t last_id_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_FABRIC_H_
