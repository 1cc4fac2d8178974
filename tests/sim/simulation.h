// One run of the simulated cluster from one seed: faults, calm, proof that it works again, rest.
#ifndef CAIRN_TESTS_SIM_SIMULATION_H_
#define CAIRN_TESTS_SIM_SIMULATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/verdict.h"

namespace cairn::sim {

struct RunResult {
  std::vector<std::string> failures;
  Tally tally;
  uint64_t trace_hash = 0;
  uint64_t trace_events = 0;
  std::string world;  // what the seed drew, in one line
};

// trace: every event goes to standard output as a line.
RunResult RunSeed(uint64_t seed, bool trace);

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_SIMULATION_H_
