#include "server/cli/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "server/cli/command_tree.h"

namespace cairn {
namespace {

using testing::HasSubstr;

struct Output {
  int code;
  std::string out;
  std::string error;
};

Output RunCairn(std::vector<std::string> arguments, Environment environment = {}) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = RunProgram(std::move(arguments), std::move(environment));
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

TEST(Program, EveryCommandHelpsWithAnExample) {
  CommandContext context;
  const std::unique_ptr<CLI::App> app = CreateProgram(context);
  const Command root = DescribeCommand(*app);
  for (const Command* command : AllCommands(root)) {
    std::vector<std::string> words;
    for (std::string rest = command->path.substr(5); !rest.empty();) {
      const size_t end = rest.find(' ', 1);
      words.push_back(rest.substr(1, end - 1));
      rest = end == std::string::npos ? "" : rest.substr(end);
    }
    words.push_back("--help");
    const Output output = RunCairn(words);
    EXPECT_EQ(output.code, kExitOk) << command->path;
    const bool is_root = command == &root;
    EXPECT_THAT(output.out, HasSubstr(is_root ? "Examples:\n" : "Example: " + command->path))
        << command->path;
  }
  EXPECT_GE(AllCommands(root).size(), 19u);
}

TEST(Program, EveryFlagSaysWhatItIs) {
  CommandContext context;
  const std::unique_ptr<CLI::App> app = CreateProgram(context);
  const Command root = DescribeCommand(*app);
  for (const Command* command : AllCommands(root)) {
    for (const CommandFlag& flag : command->flags) {
      EXPECT_FALSE(flag.help.empty()) << command->path << " " << flag.names.front();
    }
  }
}

TEST(Program, TheVersionIsTold) {
  const Output output = RunCairn({"--version"});
  EXPECT_EQ(output.code, kExitOk);
  EXPECT_THAT(output.out, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Program, AnUnknownCommandOrFlagNamesTheNearest) {
  Output output = RunCairn({"staus"});
  EXPECT_EQ(output.code, kExitUsage);
  EXPECT_EQ(output.error,
            "cairn: staus: unknown command; did you mean status?\ncairn --help tells more.\n");
  output = RunCairn({"tenant", "lst"});
  EXPECT_THAT(output.error, HasSubstr("did you mean list?"));
  output = RunCairn({"status", "--admin-fil=x"});
  EXPECT_EQ(output.code, kExitUsage);
  EXPECT_THAT(output.error, HasSubstr("did you mean --admin-file?\ncairn status --help"));
}

TEST(Program, AWordTooManyIsAMistake) {
  const Output output = RunCairn({"status", "now"});
  EXPECT_EQ(output.code, kExitUsage);
  EXPECT_THAT(output.error, HasSubstr("now: nothing is expected here"));
}

TEST(Program, NoCommandIsAMistake) { EXPECT_EQ(RunCairn({}).code, kExitUsage); }

TEST(Program, AMistakeInTheEnvironmentIsTold) {
  const Output output = RunCairn({"status"}, {{"CAIRN_COORDINATR", "x:1"}});
  EXPECT_EQ(output.code, kExitUsage);
  EXPECT_THAT(output.error, HasSubstr("CAIRN_COORDINATR: unknown environment variable"));
}

TEST(Program, AVariableOfAnotherCommandIsNone) {
  // There is no credential here: so far it comes, and no further.
  const Output output = RunCairn({"status"}, {{"CAIRN_DRAM_BYTES", "8GiB"}});
  EXPECT_THAT(output.error, testing::StartsWith("cairn: admin_file: "));
}

TEST(Program, ConfigCheckPrintsJsonForMistakesToo) {
  Output output = RunCairn({"config", "check", "--for", "node", "--json"});
  EXPECT_EQ(output.code, kExitUsage);
  EXPECT_THAT(output.out, HasSubstr("\"good\":false"));
  EXPECT_THAT(output.out, HasSubstr("coordinators: none given"));
  output = RunCairn({"config", "check", "--json"});
  EXPECT_EQ(output.code, kExitOk);
  EXPECT_THAT(output.out, HasSubstr("\"good\":true"));
}

TEST(Program, ConfigCheckTakesTheCommandsOwnFlags) {
  const Output output = RunCairn({"config", "check", "--for", "node", "--coordinators", "c:1",
                                  "--state-folder", "x", "--reactors", "3"});
  EXPECT_EQ(output.code, kExitOk) << output.error;
  EXPECT_THAT(output.out, testing::ContainsRegex("reactors +3 +--reactors"));
}

}  // namespace
}  // namespace cairn
