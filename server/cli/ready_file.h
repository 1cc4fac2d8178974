// How a daemon tells scripts where it listens: a small JSON file, written when it serves.
#ifndef CAIRN_SERVER_CLI_READY_FILE_H_
#define CAIRN_SERVER_CLI_READY_FILE_H_

#include <map>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "server/cli/child_process.h"

namespace cairn {

using ReadyFacts = std::map<std::string, std::string>;

// Atomically, so that a reader never sees half of it. An empty path does nothing.
absl::Status WriteReadyFile(const std::string& path, const ReadyFacts& facts);

// Waits until `child` has written the file. kUnavailable: it ended, or the time is up; the message
// ends with the last lines of log_path.
absl::StatusOr<ReadyFacts> AwaitReadyFile(const std::string& path, ChildProcess& child,
                                          const std::string& log_path, absl::Duration timeout);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_READY_FILE_H_
