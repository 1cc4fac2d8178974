// Puts that follow each other without waiting, as an engine's do: none overtakes its parent.
#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using testing::NumberedKey;
using wire::MissReason;

struct PutOrder : testing::ClientFixture {
  explicit PutOrder(uint64_t seed = 1) : ClientFixture(seed) {}
  static constexpr uint32_t kRun = 32;  // the position of the run's first block

  void PutNext(uint32_t offset, absl::Duration timeout = absl::Seconds(5)) {
    const uint64_t number = kRun + offset;
    Fill(number);
    Transfer transfer = MakeTransfer(number, NumberedKey(number), number % testing::kSlots);
    transfer.position = kRun + offset;
    transfer.parent = NumberedKey(number - 1);
    transfer.run_key = NumberedKey(kRun);
    ASSERT_TRUE(client->Put({&transfer, 1}, {}, In(timeout)).ok());
  }
  void ExpectOrder(const std::vector<uint32_t>& offsets) {
    ASSERT_TRUE(Until([&] { return node.announced.size() >= offsets.size(); }));
    for (size_t i = 0; i < offsets.size(); ++i) EXPECT_EQ(node.announced[i], kRun + offsets[i]);
  }
};

struct PutOrderBySeed : PutOrder, ::testing::WithParamInterface<uint64_t> {
  PutOrderBySeed() : PutOrder(GetParam()) {}
};

TEST_P(PutOrderBySeed, ARunsPlaceIsAskedOnceAndItsPutsComeInTheirOrder) {
  available = false;
  Start();
  for (uint32_t offset = 0; offset < 8; ++offset) {
    PutNext(offset);
    RunFor(absl::Microseconds(20 * GetParam()));
  }
  ExpectOrder({0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(located, 1);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PutOrderBySeed, ::testing::Range(uint64_t{1}, uint64_t{13}));

TEST_F(PutOrder, WhoJoinsAQuestionMayOutlastIt) {
  available = false;
  Start();
  world.SetCut("10.0.1.1", "10.0.3.1", true);
  PutNext(0, absl::Milliseconds(200));
  PutNext(1, absl::Seconds(20));
  EXPECT_EQ(ReasonOf(kRun), MissReason::kNoCoordinator);
  EXPECT_FALSE(done.contains(kRun + 1));
  world.SetCut("10.0.1.1", "10.0.3.1", false);
  EXPECT_EQ(ReasonOf(kRun + 1), MissReason::kNone);
  PutNext(2);
  ExpectOrder({1, 2});
}

TEST_F(PutOrder, WhoMetItsDeadlineWhileItWaitedIsNotSent) {
  available = false;
  Start();
  world.SetCut("10.0.1.1", "10.0.3.1", true);
  PutNext(0, absl::Seconds(20));
  PutNext(1, absl::Milliseconds(200));
  PutNext(2, absl::Seconds(20));
  EXPECT_EQ(ReasonOf(kRun + 1), MissReason::kDeadline);
  world.SetCut("10.0.1.1", "10.0.3.1", false);
  ExpectOrder({0, 2});
}

}  // namespace
}  // namespace cairn
