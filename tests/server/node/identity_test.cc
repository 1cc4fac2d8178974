#include "server/node/identity.h"

#include <cerrno>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/sim/sim_disk.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Identity : ::testing::Test {
  absl::StatusOr<NodeIdentity> Begin() { return BeginIncarnation("state", disk, random); }
  void Write(const std::string& text) {
    ASSERT_TRUE(disk.WriteFileAtomically("state/identity", text, 0600).ok());
  }

  SimDisk disk;
  SeededRandom random{1};
};

TEST_F(Identity, IsMadeOnceAndItsIncarnationGrowsAtEachStart) {
  const NodeIdentity first = Begin().value();
  EXPECT_NE(first.id, NodeId{});
  EXPECT_EQ(first.incarnation, 1u);
  for (uint64_t start = 2; start < 10; ++start) {
    const NodeIdentity next = Begin().value();
    EXPECT_EQ(next.id, first.id);
    EXPECT_EQ(next.incarnation, start);
  }
}

TEST_F(Identity, ItsFileIsPrivateAndReadable) {
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(disk.ModeOf("state/identity"), 0600u);
  EXPECT_THAT(disk.ReadFile("state/identity").value(), StartsWith("cairn-node-v1 "));
}

TEST_F(Identity, OtherNodesGetOtherIds) {
  const NodeIdentity a = Begin().value();
  EXPECT_NE(BeginIncarnation("elsewhere", disk, random).value().id, a.id);
}

TEST_F(Identity, ADamagedFileIsNamedWithItsRemedyAndLeftAsItIs) {
  const std::string id = "000102030405060708090a0b0c0d0e0f";
  const std::string texts[] = {
      "",
      "garbage",
      absl::StrCat("cairn-node-v2 ", id, " 4"),
      absl::StrCat("cairn-node-v1 ", id),
      absl::StrCat("cairn-node-v1 ", id.substr(1), " 4"),
      absl::StrCat("cairn-node-v1 zz", id.substr(2), " 4"),
      absl::StrCat("cairn-node-v1 ", id, " x"),
      absl::StrCat("cairn-node-v1 ", id, " -1"),
      absl::StrCat("cairn-node-v1 ", id, " 4 5"),
      absl::StrCat("cairn-node-v1 ", id, " 18446744073709551615"),
  };
  for (const std::string& text : texts) {
    Write(text);
    const absl::Status status = Begin().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("state/identity"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("restore it, or remove it"));
    EXPECT_EQ(disk.ReadFile("state/identity").value(), text);
  }
}

TEST_F(Identity, WithoutADiskThereIsNoIncarnation) {
  ASSERT_TRUE(Begin().ok());
  disk.FailReads(EIO);
  EXPECT_FALSE(Begin().ok());
  disk.FailReads(0);
  disk.FailWrites(ENOSPC);
  EXPECT_EQ(Begin().status().code(), absl::StatusCode::kResourceExhausted);
  disk.FailWrites(0);
  EXPECT_EQ(Begin().value().incarnation, 2u) << "a start that failed was none";
}

}  // namespace
}  // namespace cairn
