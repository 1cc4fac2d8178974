#include "server/cli/command_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CommandTreeTest : public testing::Test {
 protected:
  CommandTreeTest() {
    CLI::App* tenant = app_.add_subcommand("tenant", "Tenants");
    CLI::App* add = tenant->add_subcommand("add", "Add one");
    add->add_option("name", text_, "Its name")->required();
    add->add_option("--out,-o", text_, "A file")->type_name("FILE");
    add->add_flag("--json", flag_, "JSON");
    app_.add_subcommand("worker", "Started by us")->group("");
  }

  std::string text_;
  bool flag_ = false;
  CLI::App app_{"About", "cairn"};
};

TEST_F(CommandTreeTest, EveryCommandKnowsItsPath) {
  const Command root = DescribeCommand(app_);
  std::vector<std::string> paths;
  for (const Command* command : AllCommands(root)) paths.push_back(command->path);
  EXPECT_THAT(paths, ElementsAre("cairn", "cairn tenant", "cairn tenant add"));
}

TEST_F(CommandTreeTest, HiddenCommandsStayHidden) {
  EXPECT_EQ(DescribeCommand(app_).commands.size(), 1u);
}

TEST_F(CommandTreeTest, FlagsHaveNamesValuesAndHelp) {
  const Command root = DescribeCommand(app_);
  const Command& add = root.commands[0].commands[0];
  ASSERT_EQ(add.flags.size(), 3u);
  EXPECT_THAT(add.flags[0].names, ElementsAre("--help", "-h"));
  EXPECT_EQ(add.flags[0].value, "");
  EXPECT_THAT(add.flags[1].names, ElementsAre("--out", "-o"));
  EXPECT_EQ(add.flags[1].value, "FILE");
  EXPECT_EQ(add.flags[1].help, "A file");
  EXPECT_EQ(add.flags[2].value, "");
  ASSERT_EQ(add.arguments.size(), 1u);
  EXPECT_THAT(add.arguments[0].names, ElementsAre("name"));
}

TEST(CommandFlagTest, ChoicesAreWhatBarsSeparate) {
  EXPECT_THAT((CommandFlag{{}, "true|false", ""}.Choices()), ElementsAre("true", "false"));
  EXPECT_THAT((CommandFlag{{}, "FILE", ""}.Choices()), IsEmpty());
}

}  // namespace
}  // namespace cairn
