#include "server/coordinator/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/coordinator/sample_requests.h"

namespace cairn {
namespace {

using testing::Changes;
using ::testing::HasSubstr;
using testing::Key;
using testing::Report;

using Kind = v1::ReportRequest;

constexpr NodeSlot kNode = 2;

struct InventoryTest : ::testing::Test {
  // Whether the coordinator asks for a snapshot.
  bool Apply(const v1::ReportRequest& report) { return inventory.Apply(kNode, report).value(); }
  // A whole snapshot of these blocks in one report each.
  void TakeSnapshot(uint64_t sequence, const std::vector<BlockKey>& keys) {
    ASSERT_FALSE(Apply(Report(sequence, Kind::SNAPSHOT_BEGIN)));
    ASSERT_FALSE(Apply(Report(sequence + 1, Kind::SNAPSHOT_PART, Changes(keys))));
    ASSERT_FALSE(Apply(Report(sequence + 2, Kind::SNAPSHOT_END)));
  }
  bool Indexed(uint64_t key) const {
    std::array<Copy, PrefixIndex::kCopiesMax> copies;
    return index.Find(1, Key(key), copies) > 0;
  }

  PrefixIndex index{1u << 20};
  Inventory inventory{index};
};

TEST_F(InventoryTest, ANewNodeMustBeginWithASnapshot) {
  EXPECT_TRUE(inventory.snapshot_wanted(kNode));
  EXPECT_TRUE(Apply(Report(1, Kind::DELTA, Changes({Key(1)}))));
  EXPECT_FALSE(Indexed(1));
  TakeSnapshot(2, {Key(1)});
  EXPECT_FALSE(inventory.snapshot_wanted(kNode));
  EXPECT_TRUE(Indexed(1));
}

TEST_F(InventoryTest, DeltasInOrderAddAndTakeBack) {
  TakeSnapshot(1, {Key(1), Key(2)});
  EXPECT_FALSE(Apply(Report(4, Kind::DELTA, Changes({Key(3)}))));
  EXPECT_FALSE(Apply(Report(5, Kind::DELTA, Changes({Key(1)}, kInventoryRemoved))));
  EXPECT_FALSE(Indexed(1));
  EXPECT_TRUE(Indexed(2));
  EXPECT_TRUE(Indexed(3));
  EXPECT_EQ(index.count_of(kNode), 2u);
}

TEST_F(InventoryTest, AReportNamesTheReactor) {
  ASSERT_FALSE(Apply(
      Report(1, Kind::SNAPSHOT_BEGIN, Changes({Key(1)}, kInventoryAdded, 1, /*reactor=*/255))));
  std::array<Copy, PrefixIndex::kCopiesMax> copies;
  ASSERT_EQ(index.Find(1, Key(1), copies), 1u);
  EXPECT_EQ(copies[0].place, (Place{kNode, 255}));
}

TEST_F(InventoryTest, AReportTellsTheTier) {
  TakeSnapshot(1, {Key(1)});
  std::array<Copy, PrefixIndex::kCopiesMax> copies;
  ASSERT_EQ(index.Find(1, Key(1), copies), 1u);
  EXPECT_EQ(copies[0].tier, Tier::kDram);
  ASSERT_FALSE(Apply(Report(4, Kind::DELTA, Changes({Key(1)}, kInventoryOnDrive))));
  ASSERT_EQ(index.Find(1, Key(1), copies), 1u) << "it moved, it did not double";
  EXPECT_EQ(copies[0].tier, Tier::kNvme);
  ASSERT_FALSE(Apply(Report(5, Kind::DELTA, Changes({Key(1)}))));
  ASSERT_EQ(index.Find(1, Key(1), copies), 1u);
  EXPECT_EQ(copies[0].tier, Tier::kDram);
}

TEST_F(InventoryTest, AGapAsksForASnapshotAndAppliesNothingUntilItComes) {
  TakeSnapshot(1, {Key(1)});
  EXPECT_TRUE(Apply(Report(5, Kind::DELTA, Changes({Key(2)}))));
  EXPECT_TRUE(inventory.snapshot_wanted(kNode));
  EXPECT_TRUE(Apply(Report(4, Kind::DELTA, Changes({Key(3)}))));
  EXPECT_TRUE(Apply(Report(6, Kind::DELTA, Changes({Key(4)}))));
  for (const uint64_t key : {2, 3, 4}) EXPECT_FALSE(Indexed(key)) << key;
  EXPECT_TRUE(Indexed(1)) << "what was known keeps answering meanwhile";
  TakeSnapshot(7, {Key(4)});
  EXPECT_FALSE(Indexed(1));
  EXPECT_TRUE(Indexed(4));
}

TEST_F(InventoryTest, AReportThatComesTwiceIsAppliedOnce) {
  TakeSnapshot(1, {Key(1)});
  const v1::ReportRequest added = Report(4, Kind::DELTA, Changes({Key(2)}));
  ASSERT_FALSE(Apply(added));
  ASSERT_FALSE(Apply(Report(5, Kind::DELTA, Changes({Key(2)}, kInventoryRemoved))));
  EXPECT_FALSE(Apply(added));
  EXPECT_FALSE(Indexed(2));
  EXPECT_FALSE(Apply(Report(6, Kind::DELTA, Changes({Key(3)}))));
  EXPECT_TRUE(Indexed(3));
}

TEST_F(InventoryTest, ABeginningThatComesTwiceBeginsAgain) {
  TakeSnapshot(1, {Key(1)});
  const v1::ReportRequest begin = Report(4, Kind::SNAPSHOT_BEGIN, Changes({Key(2)}));
  ASSERT_FALSE(Apply(begin));
  ASSERT_FALSE(Apply(begin));
  ASSERT_FALSE(Apply(Report(5, Kind::SNAPSHOT_END)));
  EXPECT_FALSE(Indexed(1));
  EXPECT_TRUE(Indexed(2));
  EXPECT_EQ(index.count_of(kNode), 1u);
}

TEST_F(InventoryTest, ASnapshotMayBeginAtAnyNumber) {
  TakeSnapshot(100, {Key(1)});
  TakeSnapshot(50, {Key(2)});
  EXPECT_FALSE(Indexed(1));
  EXPECT_TRUE(Indexed(2));
  EXPECT_FALSE(Apply(Report(53, Kind::DELTA, Changes({Key(3)}))));
  EXPECT_TRUE(Indexed(3));
}

TEST_F(InventoryTest, AGapWithinASnapshotDoesNotEndIt) {
  TakeSnapshot(1, {Key(1)});
  ASSERT_FALSE(Apply(Report(4, Kind::SNAPSHOT_BEGIN, Changes({Key(2)}))));
  EXPECT_TRUE(Apply(Report(6, Kind::SNAPSHOT_END)));
  EXPECT_TRUE(Indexed(1)) << "half a snapshot forgets nothing";
  EXPECT_TRUE(inventory.snapshot_wanted(kNode));
}

TEST_F(InventoryTest, DeltasBetweenTheEndsOfASnapshotBelongToIt) {
  TakeSnapshot(1, {Key(1), Key(2)});
  ASSERT_FALSE(Apply(Report(4, Kind::SNAPSHOT_BEGIN)));
  ASSERT_FALSE(Apply(Report(5, Kind::SNAPSHOT_PART, Changes({Key(1), Key(2)}))));
  ASSERT_FALSE(Apply(Report(6, Kind::DELTA, Changes({Key(2)}, kInventoryRemoved))));
  ASSERT_FALSE(Apply(Report(7, Kind::DELTA, Changes({Key(3)}))));
  ASSERT_FALSE(Apply(Report(8, Kind::SNAPSHOT_END)));
  EXPECT_TRUE(Indexed(1));
  EXPECT_FALSE(Indexed(2));
  EXPECT_TRUE(Indexed(3));
}

TEST_F(InventoryTest, ARestartForgetsAndNumbersAnew) {
  TakeSnapshot(1, {Key(1)});
  inventory.Restart(kNode);
  EXPECT_FALSE(Indexed(1));
  EXPECT_TRUE(inventory.snapshot_wanted(kNode));
  EXPECT_TRUE(Apply(Report(4, Kind::DELTA, Changes({Key(2)}))));
  TakeSnapshot(1, {Key(3)});
  EXPECT_TRUE(Indexed(3));
}

TEST_F(InventoryTest, ABadReportNamesTheFieldAndAppliesNothing) {
  TakeSnapshot(1, {Key(1)});
  v1::ReportRequest odd_kind = Report(4, Kind::DELTA, Changes({Key(2)}));
  odd_kind.set_kind(static_cast<v1::ReportRequest::Kind>(17));
  const std::pair<v1::ReportRequest, const char*> bad[] = {
      {odd_kind, "kind"},
      {Report(4, Kind::DELTA, Changes({Key(2)}) + "x"), "changes"},
      {Report(4, Kind::DELTA, Changes({Key(2)}) + Changes({Key(3)}, 9)), "change"},
      {Report(4, Kind::DELTA, Changes({Key(2)}) + Changes({Key(3)}, kInventoryAdded, 0)), "tenant"},
  };
  for (const auto& [report, field] : bad) {
    const auto applied = inventory.Apply(kNode, report);
    EXPECT_EQ(applied.status().code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(applied.status().message()), HasSubstr(field));
  }
  EXPECT_FALSE(Indexed(2));
  EXPECT_FALSE(Apply(Report(4, Kind::DELTA, Changes({Key(2)}))));
  EXPECT_TRUE(Indexed(2));
}

}  // namespace
}  // namespace cairn
