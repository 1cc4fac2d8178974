// A replay as a person watches it: shared by `cairn replay` and `cairn demo`.
#ifndef CAIRN_SERVER_CLI_REPLAY_RUN_H_
#define CAIRN_SERVER_CLI_REPLAY_RUN_H_

#include <functional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/cli/options.h"
#include "server/cli/replay/replay.h"
#include "server/cli/termination.h"

namespace cairn {

// With a progress bar; `termination` ends it early. aside: told of the progress too, and ends the
// replay with its error.
absl::StatusOr<ReplaySummary> ReplayWatched(
    const ReplayOptions& options, Termination& termination, const Environment& environment,
    const std::function<absl::Status(const ReplayProgress&)>& aside = nullptr);

// Prints the summary, as text or as JSON, to standard output. Returns the exit code: kExitFailure
// when a byte was wrong or an answer late.
int PrintSummary(const ReplaySummary& summary, bool json);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_RUN_H_
