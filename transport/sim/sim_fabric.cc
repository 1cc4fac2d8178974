#include "transport/sim/sim_fabric.h"

#include <algorithm>
#include <iterator>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "transport/sim/sim_connection.h"
#include "transport/sim/sim_worker.h"

namespace cairn {

SimFabric::SimFabric(const SimWorldOptions& options)
    : scheduler_(options.seed), options_(options) {}

SimFabric::~SimFabric() = default;

SimHostId SimFabric::AddHost(const std::string& ip) {
  hosts_.push_back({.ip = ip});
  return static_cast<SimHostId>(hosts_.size() - 1);
}

absl::StatusOr<SimHostId> SimFabric::HostOf(const std::string& address) const {
  const std::string ip = address.substr(0, address.rfind(':'));
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].ip == ip && ip != address) return static_cast<SimHostId>(i);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("address: \"", address, "\" names no simulated host; want ip:port"));
}

SimFabric::Wire& SimFabric::wire(SimHostId from, SimHostId to) {
  auto [found, added] = wires_.try_emplace({from, to});
  if (added) found->second.link = options_.link;
  return found->second;
}

SimLink& SimFabric::link(SimHostId from, SimHostId to) { return wire(from, to).link; }

absl::StatusOr<std::string> SimFabric::BindAddress(SimHostId id, const std::string& address) {
  SimHostState& state = host(id);
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || address.substr(0, colon) != state.ip ||
      !absl::SimpleAtoi(Absl(std::string_view(address).substr(colon + 1)), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("address: \"", address, "\" is not ", state.ip, ":port"));
  }
  if (port == 0) port = state.next_port++;
  return absl::StrCat(state.ip, ":", port);
}

Instant SimFabric::ArrivalTime(SimHostId from, SimHostId to, size_t bytes) {
  Wire& path = wire(from, to);
  const uint64_t rate = std::min(
      {path.link.bytes_per_second, host(from).bytes_per_second, host(to).bytes_per_second});
  CAIRN_CHECK(rate > 0);
  const double seconds = static_cast<double>(bytes) / static_cast<double>(rate);
  path.busy_until = std::max(path.busy_until, scheduler_.Now()) + absl::Seconds(seconds);
  return path.busy_until + path.link.delay +
         scheduler_.Between(absl::ZeroDuration(), path.link.jitter);
}

bool SimFabric::Arrives(SimHostId from, SimHostId to) {
  const SimLink& path = link(from, to);
  return !path.cut && host(from).powered && host(to).powered && !scheduler_.Chance(path.loss_ppm);
}

SimConnection* SimFabric::FindConnection(uint64_t id) {
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

SimConnection& SimFabric::AddConnection(SimHostId initiator, SimWorker& worker, uint64_t endpoint,
                                        SimHostId target, const std::string& address) {
  const uint64_t id = NextId();
  auto connection =
      std::make_unique<SimConnection>(*this, id, initiator, worker, endpoint, target, address);
  return *connections_.emplace(id, std::move(connection)).first->second;
}

void SimFabric::ForgetConnection(uint64_t id) {
  scheduler_.After(absl::ZeroDuration(), [this, id] { connections_.erase(id); });
}

void SimFabric::DropConnectionsOf(SimHostId host, bool silent) {
  for (auto& [id, connection] : connections_) connection->DropEndsOf(host, silent);
}

void SimFabric::DropListenersOf(SimHostId host) {
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    it = it->second->host() == host ? listeners_.erase(it) : std::next(it);
  }
}

}  // namespace cairn
