#include "server/cli/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(ProgressLine, ShowsTheShareTheFiguresAndWhatIsLeft) {
  EXPECT_EQ(ProgressLine(0.25, 10, "3 of 12 requests", Palette(false)),
            "[######..................]  25 %  3 of 12 requests  30 s left");
}

TEST(ProgressLine, DoesNotGuessFromTheFirstMoment) {
  EXPECT_THAT(ProgressLine(0.001, 0.5, "x", Palette(false)), testing::EndsWith("0 %  x  "));
}

TEST(ProgressLine, EndsWithDone) {
  EXPECT_EQ(ProgressLine(1, 10, "x", Palette(false)), "[########################] 100 %  x  done");
}

TEST(ProgressLine, ColoursTheBarAlone) {
  EXPECT_THAT(ProgressLine(1, 10, "x", Palette(true)),
              testing::AllOf(testing::StartsWith("[\x1b["), testing::EndsWith("x  done")));
}

// The test's standard error is captured into a file, so it is no terminal.
TEST(ProgressBar, ALogGetsALineATenth) {
  testing::internal::CaptureStderr();
  ProgressBar bar("replay", {});
  for (int i = 0; i <= 1000; ++i) bar.Show(i / 1000.0, i, "x");
  bar.Finish();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("\r")));
  EXPECT_THAT(text, testing::StartsWith("replay: ["));
}

TEST(ProgressBar, AJumpOverSeveralTenthsIsOneLine) {
  testing::internal::CaptureStderr();
  ProgressBar bar("replay", {});
  bar.Show(0.55, 1, "x");
  bar.Show(0.56, 1, "x");
  bar.Show(0.61, 1, "x");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

}  // namespace
}  // namespace cairn
