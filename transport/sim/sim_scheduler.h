// Simulated time: a queue of events and the clock that jumps from one to the next.
//
// One thread. Events of one instant run in an order drawn from the seed, so that nothing comes to
// depend on the order in which they were made.
#ifndef CAIRN_TRANSPORT_SIM_SIM_SCHEDULER_H_
#define CAIRN_TRANSPORT_SIM_SIM_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include <absl/time/time.h>

#include "base/clock.h"
#include "base/random.h"
#include "transport/sim/sim_trace.h"

namespace cairn {

class SimScheduler final : public Clock {
 public:
  using Event = std::function<void()>;

  explicit SimScheduler(uint64_t seed) : random_(seed) {}

  Instant Now() override { return now_; }
  // Runs with Now() from a fixed day.
  int64_t UnixSeconds() override;

  // The world's dice; production code gets its own (SimHost).
  Random& random() { return random_; }
  // True in `ppm` of a million draws; draws nothing for 0.
  bool Chance(uint32_t ppm) { return ppm != 0 && random_.Below(1'000'000) < ppm; }
  // Uniform in [min, max].
  absl::Duration Between(absl::Duration min, absl::Duration max);

  // Times that have passed mean now.
  void At(Instant at, Event event);
  void After(absl::Duration delay, Event event) { At(now_ + delay, std::move(event)); }

  // Runs the next event. False: there is none.
  bool RunOne();
  // Runs all events up to `until`, then Now() is `until`.
  void RunUntil(Instant until);
  void RunFor(absl::Duration duration) { RunUntil(now_ + duration); }
  // Runs event by event until `done()` or the limit; returns the last done().
  bool RunUntilTrue(const std::function<bool()>& done, absl::Duration limit);

  SimTrace& trace() { return trace_; }

 private:
  struct Entry {
    Instant at;
    uint64_t order;
    Event event;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };

  Instant now_{};
  SeededRandom random_;
  SimTrace trace_;
  std::vector<Entry> heap_;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_SCHEDULER_H_
