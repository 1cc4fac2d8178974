// A simulated world: hosts, the network between them, and time. One thread, no wall clock, no
// entropy but the seed: the same seed and the same calls give the same trace_hash().
//
//   SimWorld world({.seed = 7});
//   SimHost& node = world.AddHost("10.0.0.1");
//   Runtime runtime = node.runtime();           // for the production code
//   node.Run([&] { return component->Poll(); });
//   world.link("10.0.0.1", "10.0.0.2").loss_ppm = 10'000;
//   world.scheduler().RunFor(absl::Seconds(1));
//
// Components die before the world. Breaking the contract of transport.h (memory deregistered or
// reused in flight, overlapping landings, a source that changes) ends the process by CAIRN_CHECK.
#ifndef CAIRN_TRANSPORT_SIM_SIM_WORLD_H_
#define CAIRN_TRANSPORT_SIM_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "transport/sim/sim_fabric.h"
#include "transport/sim/sim_host.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {

class SimWorld {
 public:
  explicit SimWorld(const SimWorldOptions& options);
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  SimHost& AddHost(const std::string& ip);
  SimHost& host(const std::string& ip);
  // From one host to another; a host has a link with itself, too.
  SimLink& link(const std::string& from, const std::string& to);
  // Both directions.
  void SetCut(const std::string& a, const std::string& b, bool cut);
  // Lets nothing through between the host and any other.
  void Isolate(const std::string& ip, bool cut);

  // Called before a lane writes into these bytes of a destination: the exact moment, for oracles
  // that know whose memory it is.
  void set_landing_observer(SimFabric::LandingObserver observer) {
    fabric_.set_landing_observer(std::move(observer));
  }

  SimScheduler& scheduler() { return fabric_.scheduler(); }
  uint64_t trace_hash() { return fabric_.scheduler().trace().hash(); }

 private:
  SimFabric fabric_;
  std::map<std::string, std::unique_ptr<SimHost>> hosts_;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_WORLD_H_
