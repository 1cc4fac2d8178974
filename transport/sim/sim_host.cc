#include "transport/sim/sim_host.h"

#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "transport/sim/sim_control_channel.h"
#include "transport/sim/sim_worker.h"

namespace cairn {
namespace {

// A thread is not on its core at once; steps that did something are followed by another.
constexpr absl::Duration kStepDelayMin = absl::Nanoseconds(500);
constexpr absl::Duration kStepDelayMax = absl::Microseconds(5);
constexpr absl::Duration kClockOffsetMax = absl::Hours(1000);

}  // namespace

SimHost::SimHost(SimFabric& fabric, SimHostId id, uint64_t seed)
    : fabric_(fabric),
      id_(id),
      random_(seed),
      clock_(fabric.scheduler(), fabric.scheduler().Between(absl::ZeroDuration(), kClockOffsetMax)),
      storage_(fabric.scheduler(), [this] { WakeThreads(); }) {}

absl::StatusOr<std::unique_ptr<Worker>> SimHost::CreateWorker() {
  return std::make_unique<SimWorker>(fabric_, id_, [this] { WakeThreads(); });
}

absl::StatusOr<std::unique_ptr<ControlChannel>> SimHost::OpenControlChannel(
    const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(const SimHostId target, fabric_.HostOf(address));
  return std::make_unique<SimControlChannel>(fabric_, id_, target, address,
                                             [this] { WakeThreads(); });
}

void SimHost::Run(Step step, absl::Duration idle_interval) {
  CAIRN_CHECK(alive());
  threads_.push_back({.step = std::move(step), .idle_interval = idle_interval});
  ScheduleStep(threads_.size() - 1, kStepDelayMax);
}

absl::Status SimHost::Serve(const std::string& address, ServiceHandler handle) {
  CAIRN_ASSIGN_OR_RETURN(const std::string bound, fabric_.BindAddress(id_, address));
  fabric_.services()[bound] = {id_, std::move(handle)};
  return absl::OkStatus();
}

void SimHost::WakeThreads() {
  for (size_t i = 0; i < threads_.size(); ++i) {
    ScheduleStep(i, fabric_.scheduler().Between(kStepDelayMin, kStepDelayMax));
  }
}

void SimHost::ScheduleStep(size_t index, absl::Duration delay) {
  Thread& thread = threads_[index];
  const Instant at = fabric_.scheduler().Now() + delay;
  if (thread.next <= at) return;
  thread.next = at;
  fabric_.scheduler().At(at, [this, index, turn = ++thread.turn, boot = fabric_.host(id_).boots] {
    const bool same_process = alive() && fabric_.host(id_).boots == boot;
    if (same_process && threads_[index].turn == turn) RunStep(index);
  });
}

void SimHost::RunStep(size_t index) {
  threads_[index].next = kNever;
  if (stopped()) return;  // Continue() schedules again.
  stepping_ = true;
  const size_t events = threads_[index].step();
  stepping_ = false;
  SimScheduler& scheduler = fabric_.scheduler();
  const absl::Duration idle = threads_[index].idle_interval;
  ScheduleStep(index, events > 0 ? scheduler.Between(kStepDelayMin, kStepDelayMax)
                                 : scheduler.Between(idle / 2, idle));
}

void SimHost::Continue() {
  fabric_.host(id_).stopped = false;
  WakeThreads();
}

void SimHost::Crash(SimCrash how) {
  SimHostState& state = fabric_.host(id_);
  CAIRN_CHECK(state.alive && !stepping_);
  state.alive = false;
  state.stopped = false;
  state.powered = how == SimCrash::kProcess;
  power_was_cut_ = how == SimCrash::kPower;
  threads_.clear();
  auto& services = fabric_.services();
  for (auto it = services.begin(); it != services.end();) {
    it = it->second.host == id_ ? services.erase(it) : std::next(it);
  }
  fabric_.DropListenersOf(id_);
  fabric_.DropConnectionsOf(id_, how == SimCrash::kPower);
}

void SimHost::Boot() {
  SimHostState& state = fabric_.host(id_);
  CAIRN_CHECK(!state.alive);
  // Not in Crash: the dead process's queue, which dies between, has writes under way.
  if (std::exchange(power_was_cut_, false)) storage_.CutPower();
  state.alive = true;
  state.powered = true;
  ++state.boots;
}

void SimHost::LimitBandwidth(uint64_t bytes_per_second) {
  fabric_.host(id_).bytes_per_second = bytes_per_second == 0 ? UINT64_MAX : bytes_per_second;
}

}  // namespace cairn
