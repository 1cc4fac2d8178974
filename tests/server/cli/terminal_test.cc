#include "server/cli/terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/handle.h"

namespace cairn {
namespace {

class TerminalTest : public testing::Test {
 protected:
  TerminalTest() {
    int master = -1;
    int slave = -1;
    EXPECT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    master_ = FileDescriptor(master);
    slave_ = FileDescriptor(slave);
  }
  bool ColorOnTerminal(const Environment& environment) const {
    return Palette::For(slave_.get(), environment).Good("x") != "x";
  }
  bool ColorInFile(const Environment& environment) const {
    return Palette::For(file_.get(), environment).Good("x") != "x";
  }

  FileDescriptor master_;
  FileDescriptor slave_;
  FileDescriptor file_{open("/dev/null", O_WRONLY | O_CLOEXEC)};
};

TEST_F(TerminalTest, ColoursAreForTerminals) {
  EXPECT_TRUE(ColorOnTerminal({}));
  EXPECT_FALSE(ColorInFile({}));
}

TEST_F(TerminalTest, NoColorBeatsEverything) {
  EXPECT_FALSE(ColorOnTerminal({{"NO_COLOR", "1"}}));
  EXPECT_FALSE(ColorOnTerminal({{"NO_COLOR", "1"}, {"CLICOLOR_FORCE", "1"}}));
  EXPECT_TRUE(ColorOnTerminal({{"NO_COLOR", ""}})) << "an empty one counts as absent";
}

TEST_F(TerminalTest, CliColorTurnsThemOffAndForceOnAnywhere) {
  EXPECT_FALSE(ColorOnTerminal({{"CLICOLOR", "0"}}));
  EXPECT_TRUE(ColorOnTerminal({{"CLICOLOR", "1"}}));
  EXPECT_TRUE(ColorInFile({{"CLICOLOR_FORCE", "1"}}));
  EXPECT_FALSE(ColorInFile({{"CLICOLOR_FORCE", "0"}}));
}

TEST_F(TerminalTest, ADumbTerminalIsNone) {
  EXPECT_TRUE(IsTerminal(slave_.get(), {{"TERM", "xterm"}}));
  EXPECT_FALSE(IsTerminal(slave_.get(), {{"TERM", "dumb"}}));
  EXPECT_FALSE(ColorOnTerminal({{"TERM", "dumb"}}));
}

TEST_F(TerminalTest, WithoutColourTextsStayAsTheyAre) {
  const Palette plain(false);
  EXPECT_EQ(plain.Bad("x") + plain.Heading("y") + plain.Quiet("z"), "xyz");
  EXPECT_EQ(Palette(true).Bad("x"), "\x1b[1;31mx\x1b[0m");
}

}  // namespace
}  // namespace cairn
