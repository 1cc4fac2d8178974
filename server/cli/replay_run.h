// A replay as a person watches it: shared by `cairn replay` and `cairn demo`.
#ifndef CAIRN_SERVER_CLI_REPLAY_RUN_H_
#define CAIRN_SERVER_CLI_REPLAY_RUN_H_

#include <absl/status/statusor.h>

#include "server/cli/options.h"
#include "server/cli/replay/replay.h"
#include "server/cli/termination.h"

namespace cairn {

// With a progress bar; `termination` ends it early. Prints the summary, as text or as JSON, to
// standard output. Returns the exit code: kExitFailure when a byte was wrong or an answer late.
absl::StatusOr<int> ReplayWatched(const ReplayOptions& options, bool json, Termination& termination,
                                  const Environment& environment);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_RUN_H_
