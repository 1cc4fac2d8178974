#include "server/cli/replay_run.h"

#include <cstdio>

#include <absl/strings/str_format.h>

#include "base/ratio.h"
#include "base/status.h"
#include "server/cli/figures.h"
#include "server/cli/progress_bar.h"

namespace cairn {
namespace {

void Show(const ReplayProgress& progress, ProgressBar& bar) {
  const auto done = static_cast<double>(progress.done);
  bar.Show(progress.total == 0 ? 1 : done / static_cast<double>(progress.total), progress.seconds,
           absl::StrFormat("%s of %s requests, %.0f/s, hits %s", FormatCount(progress.done),
                           FormatCount(progress.total),
                           progress.seconds > 0 ? done / progress.seconds : 0,
                           FormatPercent(Ratio(progress.hits, progress.lookups))));
}

}  // namespace

absl::StatusOr<ReplaySummary> ReplayWatched(
    const ReplayOptions& options, Termination& termination, const Environment& environment,
    const std::function<absl::Status(const ReplayProgress&)>& aside) {
  ProgressBar bar("replay", environment);
  absl::Status trouble;
  absl::StatusOr<ReplaySummary> summary = Replay(options, [&](const ReplayProgress& progress) {
    Show(progress, bar);
    if (aside != nullptr) trouble = aside(progress);
    return trouble.ok() && !termination.Wait(absl::ZeroDuration());
  });
  bar.Finish();
  CAIRN_RETURN_IF_ERROR(trouble);
  return summary;
}

int PrintSummary(const ReplaySummary& summary, bool json) {
  std::printf("%s%s", (json ? summary.ToJson() : summary.ToText()).c_str(), json ? "\n" : "");
  std::fflush(stdout);
  return summary.clean() ? kExitOk : kExitFailure;
}

}  // namespace cairn
