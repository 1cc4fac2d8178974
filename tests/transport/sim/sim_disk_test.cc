#include "transport/sim/sim_disk.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(SimDisk, KeepsContentAndModeOfTheLastWrite) {
  SimDisk disk;
  ASSERT_TRUE(disk.WriteFileAtomically("a/id", "old", 0644).ok());
  ASSERT_TRUE(disk.WriteFileAtomically("a/id", "new", 0600).ok());
  EXPECT_EQ(*disk.ReadFile("a/id"), "new");
  EXPECT_EQ(disk.ModeOf("a/id"), 0600u);
}

TEST(SimDisk, AMissingFileIsNotFoundAndNamed) {
  SimDisk disk;
  const absl::Status status = disk.ReadFile("a/id").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.ToString().find("a/id"), std::string::npos);
  EXPECT_EQ(disk.ModeOf("a/id"), 0u);
}

TEST(SimDisk, AFailedWriteLeavesTheOldFile) {
  SimDisk disk;
  ASSERT_TRUE(disk.WriteFileAtomically("a", "old", 0600).ok());
  disk.FailWrites(ENOSPC);
  EXPECT_EQ(disk.WriteFileAtomically("a", "new", 0600).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*disk.ReadFile("a"), "old");
  disk.FailWrites(0);
  disk.FailReads(EIO);
  EXPECT_EQ(disk.ReadFile("a").status().code(), absl::StatusCode::kInternal);
  disk.FailReads(0);
  EXPECT_TRUE(disk.WriteFileAtomically("a", "new", 0600).ok());
  EXPECT_EQ(*disk.ReadFile("a"), "new");
}

}  // namespace
}  // namespace cairn
