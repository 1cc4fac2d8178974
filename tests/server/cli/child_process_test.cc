#include "server/cli/child_process.h"

#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/handle.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

absl::StatusOr<ChildProcess> StartShell(const std::string& script,
                                        ChildProcess::Options options = {}) {
  options.arguments = {"/bin/sh", "-c", script};
  return ChildProcess::Start(options);
}

bool EndsByItself(ChildProcess& child) {
  const Instant limit = RealClock().Now() + kPatience;
  while (child.running()) {
    if (RealClock().Now() > limit) return false;
  }
  return true;
}

TEST(ChildProcess, TellsItsExitCode) {
  ChildProcess child = *StartShell("exit 7");
  ASSERT_TRUE(EndsByItself(child));
  EXPECT_EQ(child.Stop(), 7);
  EXPECT_EQ(child.Stop(), 7) << "again";
}

TEST(ChildProcess, AProgramThatCannotBeExecutedEndsAsInAShell) {
  ChildProcess child = *ChildProcess::Start({.arguments = {"/nonexistent/program"}});
  ASSERT_TRUE(EndsByItself(child));
  EXPECT_EQ(child.Stop(), 127);
}

// Starts a script and returns when it has said "ready".
absl::StatusOr<ChildProcess> StartShellAndWait(const ScratchFolder& folder,
                                               const std::string& script,
                                               ChildProcess::Options options = {}) {
  options.log_path = folder.File("ready");
  absl::StatusOr<ChildProcess> child = StartShell(script, options);
  const Instant limit = RealClock().Now() + kPatience;
  while (RealDisk().ReadFile(options.log_path).value_or("") != "ready\n") {
    if (RealClock().Now() > limit) return absl::DeadlineExceededError("never ready");
  }
  return child;
}

TEST(ChildProcess, StopAsksBeforeItKills) {
  const ScratchFolder folder = *ScratchFolder::Create();
  ChildProcess child =
      *StartShellAndWait(folder, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
  EXPECT_EQ(child.Stop(), 3);
}

TEST(ChildProcess, OneThatDoesNotListenIsKilled) {
  const ScratchFolder folder = *ScratchFolder::Create();
  ChildProcess child =
      *StartShellAndWait(folder, "trap '' TERM; echo ready; while :; do sleep 0.01; done",
                         {.stop_timeout = absl::Milliseconds(50)});
  EXPECT_EQ(child.Stop(), 128 + SIGKILL);
}

TEST(ChildProcess, AStoppedOneEndsToo) {
  ChildProcess child = *StartShell("while :; do sleep 0.01; done");
  child.Signal(SIGSTOP);
  EXPECT_EQ(child.Stop(), 128 + SIGTERM);
}

TEST(ChildProcess, ItsWordsAreAppendedToTheLog) {
  const ScratchFolder folder = *ScratchFolder::Create();
  const std::string log = folder.File("log");
  for (const char* script : {"echo one", "echo two >&2"}) {
    ChildProcess child = *StartShell(script, {.log_path = log});
    ASSERT_TRUE(EndsByItself(child));
  }
  EXPECT_EQ(*RealDisk().ReadFile(log), "one\ntwo\n");
}

TEST(ChildProcess, InheritsOneDescriptorAsItsThird) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const FileDescriptor ours(pair[0]);
  FileDescriptor theirs(pair[1]);
  ChildProcess child = *StartShell("echo hello >&3", {.inherited_descriptor = theirs.get()});
  theirs = FileDescriptor();
  char word[16] = {};
  EXPECT_EQ(recv(ours.get(), word, sizeof(word), 0), 6);
  EXPECT_STREQ(word, "hello\n");
}

TEST(ChildProcess, MovingOverOneStopsIt) {
  ChildProcess first = *StartShell("while :; do sleep 0.01; done");
  const pid_t pid = first.pid();
  first = *StartShell("exit 0");
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, KnowsItsOwnProgram) {
  EXPECT_THAT(OwnProgramPath(), testing::EndsWith("server_cli_test"));
}

}  // namespace
}  // namespace cairn
