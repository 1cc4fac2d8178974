// What the shell learns of a command's end. Documented in `cairn --help` and docs/cli.md.
#ifndef CAIRN_SERVER_CLI_EXIT_CODE_H_
#define CAIRN_SERVER_CLI_EXIT_CODE_H_

#include <absl/status/status.h>

namespace cairn {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // it was tried and failed
inline constexpr int kExitUsage = 2;    // flags, environment or file are wrong; nothing was tried
inline constexpr int kExitUnavailable = 3;  // a daemon could not be reached

// Prints "cairn: message" to standard error and returns the code of its kind.
int ReportError(const absl::Status& status);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_EXIT_CODE_H_
