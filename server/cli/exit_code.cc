#include "server/cli/exit_code.h"

#include <cstdio>
#include <string>

namespace cairn {

int ReportError(const absl::Status& status) {
  std::fprintf(stderr, "cairn: %s\n", std::string(status.message()).c_str());
  if (absl::IsInvalidArgument(status)) return kExitUsage;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ? kExitUnavailable
                                                                         : kExitFailure;
}

}  // namespace cairn
