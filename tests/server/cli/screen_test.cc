#include "server/cli/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/table.h"
#include "server/cli/terminal.h"

namespace cairn {
namespace {

TEST(FitToScreen, WhatFitsStaysAsItIs) {
  EXPECT_EQ(FitToScreen("one\ntwo\n", 3, 2), "one\ntwo\n");
  EXPECT_EQ(FitToScreen("", 3, 2), "");
}

TEST(FitToScreen, LongLinesAreCut) { EXPECT_EQ(FitToScreen("abcdef\n", 4, 9), "abcd\n"); }

TEST(FitToScreen, LinesTooManyAreCounted) {
  EXPECT_EQ(FitToScreen("1\n2\n3\n4\n", 20, 3), "1\n2\n... 2 more lines\n");
}

TEST(FitToScreen, AColourThatIsCutEnds) {
  const std::string colored = Palette(true).Good("abcdef");
  EXPECT_EQ(CutToWidth(colored, 6), colored);
  EXPECT_EQ(CutToWidth(colored, 3), "\x1b[32mabc\x1b[0m");
}

// The test's standard output is captured into a file.
TEST(Screen, ElsewhereThanOnATerminalOneStandsBelowTheOther) {
  testing::internal::CaptureStdout();
  Screen screen({});
  screen.Draw("one\n");
  screen.Draw("two\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "one\n\ntwo\n");
}

}  // namespace
}  // namespace cairn
