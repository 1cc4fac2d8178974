// cairn_bench: every speed and memory bar, each beside a baseline of the same run.
#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/status.h"
#include "bench/rows.h"

namespace cairn::bench {
namespace {

int Main(int argc, char** argv) {
  CLI::App app("Cairn's benchmarks: medians over interleaved rounds", "cairn_bench");
  bool json = false;
  size_t rounds = 5;
  std::vector<std::string> only;
  app.add_flag("--json", json, "One JSON object a row");
  app.add_option("--rounds", rounds, "Rounds of each row [5]")->check(CLI::Range(1, 1000));
  app.add_option("--only", only, "Rows, comma separated")->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  SetLog(LogLevel::kError, LogFormat::kKeyValue);
  int failures = 0;
  for (const auto& family : {TransferRows(), LocateRows(), AllocationRows(), IndexRows(),
                             DiskRows(), TierRows(), TelemetryRows(), PolicyRows()}) {
    for (const RowPlan& plan : family) {
      if (!only.empty() && std::find(only.begin(), only.end(), plan.name) == only.end()) continue;
      const absl::StatusOr<Row> row = plan.run(rounds);
      if (absl::IsNotFound(row.status())) {
        std::fprintf(stderr, "%s: %s\n", plan.name.c_str(),
                     std::string(Std(row.status().message())).c_str());
        continue;
      }
      if (!row.ok()) {
        std::fprintf(stderr, "%s: %s\n", plan.name.c_str(), row.status().ToString().c_str());
        ++failures;
        continue;
      }
      std::printf("%s\n", (json ? row->ToJson() : row->ToText()).c_str());
      std::fflush(stdout);
    }
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) { return cairn::bench::Main(argc, argv); }
