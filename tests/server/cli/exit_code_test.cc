#include "server/cli/exit_code.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

std::string ErrorOutputOf(const absl::Status& status, int code) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ReportError(status), code);
  return testing::internal::GetCapturedStderr();
}

TEST(ExitCode, TellsWhoseFaultItIs) {
  EXPECT_EQ(ErrorOutputOf(absl::InvalidArgumentError("listen: x"), kExitUsage),
            "cairn: listen: x\n");
  ErrorOutputOf(absl::UnavailableError("x"), kExitUnavailable);
  ErrorOutputOf(absl::DeadlineExceededError("x"), kExitUnavailable);
  ErrorOutputOf(absl::UnauthenticatedError("x"), kExitFailure);
  ErrorOutputOf(absl::InternalError("x"), kExitFailure);
}

TEST(ExitCode, EveryLineOfSeveralMistakesSaysWhoSpeaks) {
  EXPECT_EQ(ErrorOutputOf(absl::InvalidArgumentError("a: 1\nb: 2"), kExitUsage),
            "cairn: a: 1\ncairn: b: 2\n");
}

}  // namespace
}  // namespace cairn
