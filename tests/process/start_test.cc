// Starts that must not succeed, and what they say.
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_limit.h"
#include "server/cli/scratch_folder.h"
#include "tests/process/run_to_end.h"

namespace cairn::process {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr int kFailed = 1;
constexpr int kUsage = 2;

class Start : public ::testing::Test {
 protected:
  // Runs the program, under a launcher if any.
  static Ending Run(const Words& launcher, const Words& arguments) {
    Words words = launcher;
    words.push_back(CAIRN_PROGRAM);
    words.insert(words.end(), arguments.begin(), arguments.end());
    return RunToEnd(words);
  }
  Words Node(const Words& more) const {
    Words arguments{"node", "--coordinators", "127.0.0.1:1", "--state-folder", folder.File("node")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  ScratchFolder folder = *ScratchFolder::Create();
};

TEST_F(Start, ANodeWithoutMemorySaysWhichSettingToChange) {
  const Ending ending =
      Run({"/usr/bin/prlimit", "--as=4000000000"}, Node({"--dram-bytes", "8GiB"}));
  EXPECT_NE(ending.code, 0);
  EXPECT_LT(ending.code, 128) << "ended by a signal";
  EXPECT_THAT(ending.output, AllOf(HasSubstr("dram_bytes"), HasSubstr("lower it")));
}

TEST_F(Start, ANodeLargerThanItsMachineIsRefused) {
  const Ending ending = Run({}, Node({"--dram-bytes", std::to_string(MemoryLimitBytes() + 1)}));
  EXPECT_EQ(ending.code, kUsage);
  EXPECT_THAT(ending.output, AllOf(HasSubstr("dram_bytes"), HasSubstr("lower it")));
}

TEST_F(Start, TheDoctorNamesTheRemedyOfATooSmallMemlock) {
  Words launcher{"/usr/bin/prlimit", "--memlock=65536"};
  if (geteuid() == 0) {  // root in a container
    launcher.insert(launcher.end(),
                    {"/usr/bin/setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"});
  }
  const Ending ending = Run(launcher, {"doctor"});
  EXPECT_THAT(ending.output, HasSubstr("memlock     64.0 KiB"));
  EXPECT_THAT(ending.output, HasSubstr("LimitMEMLOCK=infinity"));
}

TEST_F(Start, NobodyListensBeyondLoopbackWithoutConsent) {
  const Ending node = Run({}, Node({"--data-listen", "0.0.0.0:0"}));
  EXPECT_EQ(node.code, kUsage);
  EXPECT_THAT(node.output, AllOf(HasSubstr("data_listen"), HasSubstr("--insecure true")));
  const Ending coordinator = Run(
      {}, {"coordinator", "--listen", "0.0.0.0:0", "--state-folder", folder.File("coordinator")});
  EXPECT_EQ(coordinator.code, kUsage);
  EXPECT_THAT(coordinator.output, AllOf(HasSubstr("listen"), HasSubstr("--insecure true")));
}

TEST_F(Start, ANodeWithoutTheTransportThatItWasGivenSaysSo) {
  const Ending ending = Run({}, Node({"--ucx-tls", "rc_nobody"}));
  EXPECT_EQ(ending.code, kFailed);
  EXPECT_THAT(ending.output, HasSubstr("ucp_init over rc_nobody"));
}

}  // namespace
}  // namespace cairn::process
