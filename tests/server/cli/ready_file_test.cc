#include "server/cli/ready_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/disk.h"
#include "base/status.h"
#include "server/cli/scratch_folder.h"

namespace cairn {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

class ReadyFileTest : public testing::Test {
 protected:
  ChildProcess Shell(const std::string& script) {
    return *ChildProcess::Start(
        {.arguments = {"/bin/sh", "-c", script}, .log_path = folder_.File("log")});
  }
  absl::StatusOr<ReadyFacts> Await(ChildProcess& child, absl::Duration timeout = kPatience) {
    return AwaitReadyFile(folder_.File("ready"), child, folder_.File("log"), timeout);
  }

  ScratchFolder folder_ = *ScratchFolder::Create();
};

TEST_F(ReadyFileTest, WhatIsWrittenIsRead) {
  const ReadyFacts facts = {{"address", "127.0.0.1:7400"}, {"odd", "a \"quoted\" \\ value"}};
  ASSERT_TRUE(WriteReadyFile(folder_.File("ready"), facts).ok());
  ChildProcess child = Shell("exit 0");
  EXPECT_EQ(*Await(child), facts);
}

TEST_F(ReadyFileTest, IsAwaited) {
  // As WriteReadyFile does it: a whole file takes the name at once.
  ChildProcess child = Shell("sleep 0.2; cd " + folder_.path() +
                             "; echo '{\"http\":\"x:1\"}' > part; mv part ready; sleep 60");
  const absl::StatusOr<ReadyFacts> facts = Await(child);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->at("http"), "x:1");
}

TEST_F(ReadyFileTest, ADaemonThatEndsIsReportedWithItsLastWords) {
  ChildProcess child = Shell("echo no memory >&2; exit 1");
  const absl::StatusOr<ReadyFacts> facts = Await(child);
  EXPECT_TRUE(absl::IsUnavailable(facts.status()));
  EXPECT_THAT(std::string(Std(facts.status().message())), testing::EndsWith("no memory\n"));
}

TEST_F(ReadyFileTest, ADaemonThatNeverServesIsGivenUp) {
  ChildProcess child = Shell("sleep 60");
  EXPECT_TRUE(absl::IsUnavailable(Await(child, absl::Milliseconds(100)).status()));
}

TEST_F(ReadyFileTest, WithoutAPathNothingIsWritten) {
  EXPECT_TRUE(WriteReadyFile("", {{"address", "x"}}).ok());
}

}  // namespace
}  // namespace cairn
