#include "server/cli/exit_code.h"

#include <cstdio>
#include <string>

#include <absl/strings/str_replace.h>

namespace cairn {

int ReportError(const absl::Status& status) {
  std::string text(status.message());
  // Several mistakes at once: each line says who speaks. Others may end with lines of a log.
  if (absl::IsInvalidArgument(status)) text = absl::StrReplaceAll(text, {{"\n", "\ncairn: "}});
  std::fprintf(stderr, "cairn: %s\n", text.c_str());
  if (absl::IsInvalidArgument(status)) return kExitUsage;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ? kExitUnavailable
                                                                         : kExitFailure;
}

}  // namespace cairn
