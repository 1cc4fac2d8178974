// Breaks the simulated world, one fault after another, as a seed says, and mends it again.
#ifndef CAIRN_TESTS_SIM_NEMESIS_H_
#define CAIRN_TESTS_SIM_NEMESIS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include <absl/time/time.h>

#include "base/random.h"
#include "tests/sim/cluster.h"

namespace cairn::sim {

struct NemesisOptions {
  uint64_t seed = 1;
  absl::Duration pause_max = absl::Milliseconds(400);  // between two faults
  bool dishonest_network = false;                      // repeats, reorders and damages messages
  bool arena_rots = false;                             // flips bits in the nodes' memory
  bool drives_fail = false;                            // the nodes have NVMe, which lies and dies
};

class Nemesis {
 public:
  Nemesis(Cluster& cluster, const NemesisOptions& options);
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  // From now on faults come and go.
  void Begin();
  // No new ones; all that are there are mended at once, and every process runs.
  void EndAndMend();

 private:
  using Mend = std::function<void()>;

  void Next();
  // Does something, and mends it after up to `most`.
  void Inflict(Mend mend, absl::Duration most);
  void MendNow(uint64_t fault);

  void CutPair();
  void CutOneWay();
  void IsolateHost();
  void DamageLink();
  void SlowHost();
  void StopHost();
  void CrashNode();
  void CrashCoordinator();
  void CrashEngine();
  void RestartEngine();
  void JumpClock();
  void RotArena();
  void FailDisk();
  void FailDrive();

  void ReviveNode(size_t i);
  void ReviveCoordinator(size_t i);
  void ReviveEngine(size_t i);

  SimHost& AnyHost();
  SimHost& AnyServer();
  SimCrash AnyCrash() { return random_.Below(2) == 0 ? SimCrash::kProcess : SimCrash::kPower; }
  absl::Duration UpTo(absl::Duration most);

  Cluster& cluster_;
  const NemesisOptions options_;
  SeededRandom random_;
  bool active_ = false;
  uint64_t last_fault_ = 0;
  std::map<uint64_t, Mend> open_;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_NEMESIS_H_
