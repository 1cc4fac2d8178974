// One simulated machine: its network, clock, disk and randomness, and the process that runs on it.
#ifndef CAIRN_TRANSPORT_SIM_SIM_HOST_H_
#define CAIRN_TRANSPORT_SIM_SIM_HOST_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "base/random.h"
#include "base/runtime.h"
#include "transport/network.h"
#include "transport/sim/sim_disk.h"
#include "transport/sim/sim_fabric.h"

namespace cairn {

enum class SimCrash {
  kProcess,  // kill -9: its kernel resets the connections and refuses new ones
  kPower,    // silence: peers learn nothing until the host is up again and resets what it forgot
};

// The clock of one host: same rate as all, its own zero, so that a time that crosses the wire is
// wrong at once; the wall clock jumps when told.
class SimHostClock final : public Clock {
 public:
  SimHostClock(SimScheduler& scheduler, absl::Duration offset)
      : scheduler_(scheduler), offset_(offset) {}

  Instant Now() override { return scheduler_.Now() + offset_; }
  int64_t UnixSeconds() override {
    return scheduler_.UnixSeconds() + absl::ToInt64Seconds(wall_offset_);
  }
  void JumpWallClock(absl::Duration by) { wall_offset_ += by; }

 private:
  SimScheduler& scheduler_;
  const absl::Duration offset_;
  absl::Duration wall_offset_{};
};

// Made by SimWorld. Outlives the workers and channels it makes.
class SimHost final : public Network {
 public:
  // Advances a component by one step; returns the number of events it handled, 0: idle.
  using Step = std::function<size_t()>;
  using ServiceHandler = decltype(SimService::handle);

  SimHost(SimFabric& fabric, SimHostId id, uint64_t seed);
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;

  absl::StatusOr<std::unique_ptr<Worker>> CreateWorker() override;
  absl::StatusOr<std::unique_ptr<ControlChannel>> OpenControlChannel(
      const std::string& address) override;

  Runtime runtime() { return {clock_, random_, disk_, *this}; }
  const std::string& ip() const { return fabric_.host(id_).ip; }
  SimHostId id() const { return id_; }
  SimHostClock& clock() { return clock_; }
  SimDisk& disk() { return disk_; }
  SimStorage& storage() { return storage_; }

  // Runs `step` as a thread of the process would: soon after something arrived for the host or the
  // last step did something, else every idle_interval or so. Until the process dies.
  void Run(Step step, absl::Duration idle_interval = absl::Milliseconds(1));
  // Answers control calls at "ip:port" until the process dies. kInvalidArgument: not of this host.
  absl::Status Serve(const std::string& address, ServiceHandler handle);

  // SIGSTOP and SIGCONT: the kernel goes on taking connections and messages, the process does
  // nothing, and the bulks it sends stand still.
  void Stop() { fabric_.host(id_).stopped = true; }
  void Continue();
  // Not from within a step. The process is dead: its steps and services are gone, its endpoints
  // touch no memory. Destroy its components now, then Boot().
  void Crash(SimCrash how);
  // A new process may begin on the same disk.
  void Boot();
  bool alive() const { return fabric_.host(id_).alive; }
  // How many processes have lived here.
  uint64_t boots() const { return fabric_.host(id_).boots; }
  bool stopped() const { return fabric_.host(id_).stopped; }
  // Of each of its links; 0 lifts the limit.
  void LimitBandwidth(uint64_t bytes_per_second);

 private:
  struct Thread {
    Step step;
    absl::Duration idle_interval;
    uint64_t turn = 0;  // the one scheduled step that counts
    Instant next = kNever;
  };

  void WakeThreads();
  void ScheduleStep(size_t thread, absl::Duration delay);
  void RunStep(size_t thread);

  SimFabric& fabric_;
  const SimHostId id_;
  SeededRandom random_;
  SimHostClock clock_;
  SimStorage storage_;
  SimDisk disk_{&storage_};
  std::vector<Thread> threads_;
  bool stepping_ = false;
  bool power_was_cut_ = false;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_HOST_H_
