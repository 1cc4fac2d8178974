#include "server/cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "base/disk.h"
#include "base/status.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// One command with an option of each kind.
class OptionsTest : public testing::Test {
 protected:
  absl::Status Load(std::vector<std::string> arguments, Environment environment = {}) {
    context_.environment = std::move(environment);
    CommandOptions flags(context_);
    flags.schema().Add("reactors", &reactors_, {1, 256}, "threads", "Threads.");
    flags.schema().AddBytes("dram_bytes", &dram_bytes_, {1, uint64_t{1} << 40}, "Memory.");
    flags.schema().Add("insecure", &insecure_, "Plain text.");
    flags.schema().Add("coordinators", &coordinators_, "Addresses.");
    CLI::App app;
    flags.AddFlags(app);
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
    return flags.Load();
  }
  std::string Write(const std::string& yaml) {
    std::string path = folder_.File("node.yaml");
    EXPECT_TRUE(RealDisk().WriteFileAtomically(path, yaml, 0600).ok());
    return path;
  }

  ScratchFolder folder_ = *ScratchFolder::Create();
  CommandContext context_;
  int64_t reactors_ = 1;
  uint64_t dram_bytes_ = 64;
  bool insecure_ = false;
  std::vector<std::string> coordinators_;
};

TEST_F(OptionsTest, AFlagBeatsTheEnvironmentWhichBeatsTheFile) {
  const std::string file = Write("reactors: 2\ndram_bytes: 2KiB\ninsecure: true\n");
  const Environment environment = {{"CAIRN_REACTORS", "3"}, {"CAIRN_DRAM_BYTES", "3KiB"}};
  ASSERT_TRUE(Load({"--config", file, "--reactors", "4"}, environment).ok());
  EXPECT_EQ(reactors_, 4);
  EXPECT_EQ(dram_bytes_, 3072u);
  EXPECT_TRUE(insecure_);
}

TEST_F(OptionsTest, TheFileMayBeNamedByTheEnvironmentAndAFlagNamesAnother) {
  const std::string file = Write("reactors: 2\n");
  ASSERT_TRUE(Load({}, {{"CAIRN_CONFIG", file}}).ok());
  EXPECT_EQ(reactors_, 2);
  EXPECT_FALSE(Load({"--config", folder_.File("absent")}, {{"CAIRN_CONFIG", file}}).ok());
}

TEST_F(OptionsTest, AnAbsentFileIsAMistakeThatNamesIt) {
  const absl::Status status = Load({"--config", folder_.File("absent.yaml")});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("absent.yaml"));
}

TEST_F(OptionsTest, ABooleanNeedsNoValue) {
  ASSERT_TRUE(Load({"--insecure", "--reactors", "2"}).ok());
  EXPECT_TRUE(insecure_);
  EXPECT_EQ(reactors_, 2);
  ASSERT_TRUE(Load({"--insecure", "false"}).ok());
  EXPECT_FALSE(insecure_);
  ASSERT_TRUE(Load({"--insecure=true"}).ok());
  EXPECT_TRUE(insecure_);
}

TEST_F(OptionsTest, OfAFlagGivenTwiceTheLastCounts) {
  ASSERT_TRUE(Load({"--reactors", "2", "--insecure", "--reactors", "3", "--insecure=false"}).ok());
  EXPECT_EQ(reactors_, 3);
  EXPECT_FALSE(insecure_);
}

TEST_F(OptionsTest, OneCoordinatorMayBeGivenInTheSingular) {
  ASSERT_TRUE(Load({"--coordinator", "127.0.0.1:7400"}).ok());
  EXPECT_THAT(coordinators_, ElementsAre("127.0.0.1:7400"));
}

TEST_F(OptionsTest, AVariableOfAnotherCommandIsNoMistake) {
  context_.variables.insert("CAIRN_ADMIN_FILE");
  EXPECT_TRUE(Load({}, {{"CAIRN_ADMIN_FILE", "state/admin"}}).ok());
}

TEST_F(OptionsTest, AVariableOfNoCommandIsOneAndNamesTheNearest) {
  const absl::Status status = Load({}, {{"CAIRN_REACTOR", "2"}});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("did you mean CAIRN_REACTORS?"));
}

TEST_F(OptionsTest, AMistakeNamesTheFlagAsItIsTyped) {
  const absl::Status status = Load({"--dram-bytes", "lots"});
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("(from --dram-bytes)"));
}

TEST_F(OptionsTest, TheCommandsCodeBecomesTheProgramsAndMistakesItsOwn) {
  CommandOptions flags(context_);
  flags.Run([] { return absl::OkStatus(); });
  EXPECT_EQ(context_.exit_code, kExitOk);
  flags.RunWithCode([]() -> absl::StatusOr<int> { return kExitFailure; });
  EXPECT_EQ(context_.exit_code, kExitFailure);
  flags.Run([] { return absl::UnavailableError("nobody answers"); });
  EXPECT_EQ(context_.exit_code, kExitUnavailable);
}

TEST_F(OptionsTest, WithAMistakeTheCommandIsNotRun) {
  context_.environment = {{"CAIRN_NONSENSE", "1"}};
  CommandOptions flags(context_);
  flags.Run([] {
    ADD_FAILURE() << "ran";
    return absl::OkStatus();
  });
  EXPECT_EQ(context_.exit_code, kExitUsage);
}

}  // namespace
}  // namespace cairn
