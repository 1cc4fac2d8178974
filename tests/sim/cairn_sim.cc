// cairn_sim: the simulated cluster, one GoogleTest case per seed.
//
//   cairn_sim --seeds=0..199          a range
//   cairn_sim --seed=17 [--trace]     one seed again, with everything that happens
//
// Each seed runs in a child process: a failed CAIRN_CHECK is that seed's failure and no other's,
// and every seed meets the same heap, whether it runs alone or in a range.
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/log.h"
#include "tests/sim/simulation.h"

namespace cairn::sim {
namespace {

struct Arguments {
  uint64_t first = 0;
  uint64_t last = 199;
  bool trace = false;
  bool verbose = false;  // the tally of each seed, and the components' logs
};

// What a child tells its parent besides its output.
struct ChildReport {
  bool failed = true;
  uint64_t trace_hash = 0;
};

void PrintTally(uint64_t seed, const RunResult& result) {
  const Tally& t = result.tally;
  std::printf(
      "seed %" PRIu64 ": %s; %" PRIu64 " faults, %" PRIu64 " restarts; matches %" PRIu64
      " (%" PRIu64 " blocks), gets %" PRIu64 ", hits %" PRIu64 ", puts %" PRIu64 ", stored %" PRIu64
      ", foreign %" PRIu64 ", refused %" PRIu64 "; %" PRIu64 " events, trace %016" PRIx64 "\n",
      seed, result.world.c_str(), t.faults, t.restarts, t.matches, t.matched_blocks, t.gets, t.hits,
      t.puts, t.stored, t.foreign, t.refused, result.trace_events, result.trace_hash);
}

ChildReport RunHere(uint64_t seed, const Arguments& arguments) {
  SetLog(arguments.verbose ? LogLevel::kInfo : LogLevel::kError, LogFormat::kKeyValue);
  const RunResult result = RunSeed(seed, arguments.trace);
  for (const std::string& failure : result.failures) std::printf("  %s\n", failure.c_str());
  if (arguments.verbose) PrintTally(seed, result);
  std::fflush(stdout);
  return {.failed = !result.failures.empty(), .trace_hash = result.trace_hash};
}

ChildReport RunInChild(uint64_t seed, const Arguments& arguments) {
  int ends[2];
  CAIRN_CHECK(pipe(ends) == 0);
  std::fflush(stdout);
  const pid_t child = fork();
  CAIRN_CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    const ChildReport report = RunHere(seed, arguments);
    const bool told = write(ends[1], &report, sizeof(report)) == sizeof(report);
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  ChildReport report;
  const bool told = read(ends[0], &report, sizeof(report)) == sizeof(report);
  close(ends[0]);
  int status = 0;
  CAIRN_CHECK(waitpid(child, &status, 0) == child);
  return told ? report : ChildReport{};
}

class SeedTest : public ::testing::Test {
 public:
  SeedTest(uint64_t seed, const Arguments& arguments) : seed_(seed), arguments_(arguments) {}

  void TestBody() override {
    EXPECT_FALSE(RunInChild(seed_, arguments_).failed)
        << "seed " << seed_ << " commit " << CAIRN_COMMIT << "\nreplay: ./dev sim --seed " << seed_;
  }

 private:
  const uint64_t seed_;
  const Arguments arguments_;
};

class ReplayTest : public SeedTest {
 public:
  ReplayTest(uint64_t seed, const Arguments& arguments)
      : SeedTest(seed, arguments), seed_(seed), arguments_(arguments) {}

  void TestBody() override {
    EXPECT_EQ(RunInChild(seed_, arguments_).trace_hash, RunInChild(seed_, arguments_).trace_hash)
        << "seed " << seed_ << " does not replay";
  }

 private:
  const uint64_t seed_;
  const Arguments arguments_;
};

template <typename Case>
void Register(const char* suite, uint64_t seed, const Arguments& arguments) {
  const std::string name = "Seed" + std::to_string(seed);
  ::testing::RegisterTest(suite, name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [seed, arguments]() -> SeedTest* { return new Case(seed, arguments); });
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

bool ParseRange(std::string_view text, Arguments& arguments) {
  const size_t dots = text.find("..");
  const std::optional<uint64_t> first = ParseNumber(text.substr(0, dots));
  const std::optional<uint64_t> last =
      dots == std::string_view::npos ? first : ParseNumber(text.substr(dots + 2));
  if (!first.has_value() || !last.has_value() || *first > *last) return false;
  arguments.first = *first;
  arguments.last = *last;
  return true;
}

std::optional<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--trace") {
      arguments.trace = true;
    } else if (argument == "--verbose") {
      arguments.verbose = true;
    } else if (argument.starts_with("--seed=")) {
      if (!ParseRange(argument.substr(std::strlen("--seed=")), arguments)) return std::nullopt;
      arguments.verbose = true;
    } else if (!argument.starts_with("--seeds=") ||
               !ParseRange(argument.substr(std::strlen("--seeds=")), arguments)) {
      return std::nullopt;
    }
  }
  return arguments;
}

// Abseil's hash tables take their order from addresses; with the same addresses a seed gives the
// same run in every process. Where the kernel refuses, only replays within one process are exact.
void FixAddresses(char** argv) {
  constexpr unsigned long kAsk = 0xffffffff;
  const int persona = personality(kAsk);
  if (persona < 0 || (persona & ADDR_NO_RANDOMIZE) != 0) return;
  if (personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) < 0) return;
  execv("/proc/self/exe", argv);
}

int Main(int argc, char** argv) {
  FixAddresses(argv);
  ::testing::InitGoogleTest(&argc, argv);
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments.has_value()) {
    std::fprintf(stderr, "usage: cairn_sim [--seeds=A..B | --seed=N] [--trace] [--verbose]\n");
    return 2;
  }
  for (uint64_t seed = arguments->first; seed <= arguments->last; ++seed) {
    Register<SeedTest>("ClusterKeepsItsPromises", seed, *arguments);
  }
  Register<ReplayTest>("TheSameSeedReplays", arguments->first, *arguments);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace cairn::sim

int main(int argc, char** argv) { return cairn::sim::Main(argc, argv); }
