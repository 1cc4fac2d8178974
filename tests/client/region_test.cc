// Memory that dies under transfers: they end first, and nothing touches it afterwards (P6).
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using testing::kBlock;
using testing::NumberedKey;
using wire::MissReason;

struct ClientRegionTest : testing::ClientFixture {
  void ThrottleBothWays() {
    world.link("10.0.2.1", "10.0.3.1").bytes_per_second = 1'000'000;
    world.link("10.0.3.1", "10.0.2.1").bytes_per_second = 1'000'000;
  }
  // The region dies; whoever reuses its memory finds nobody else in it.
  void DropRegion() {
    region.reset();
    FillPattern(absl::MakeSpan(memory));
    RunFor(absl::Seconds(2));
    EXPECT_TRUE(IsFilled(memory));
  }
};

TEST_F(ClientRegionTest, GetsThatAreLandingAreCanceledAndLandNoMore) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  ThrottleBothWays();
  for (uint64_t number = 2; number <= 5; ++number) ASSERT_TRUE(Get(number).ok());
  RunFor(absl::Milliseconds(100));
  DropRegion();
  for (uint64_t number = 2; number <= 5; ++number) {
    const MissReason reason = ReasonOf(number);
    EXPECT_TRUE(reason == MissReason::kCanceled || reason == MissReason::kNone) << number;
  }
  EXPECT_EQ(ReasonOf(5), MissReason::kCanceled);
  EXPECT_EQ(done.at(5).code, absl::StatusCode::kCancelled);
}

TEST_F(ClientRegionTest, PutsThatAreLeavingAreCanceledAndReadNoMore) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  ThrottleBothWays();
  ASSERT_TRUE(Put(2).ok());
  RunFor(absl::Milliseconds(10));
  DropRegion();
  EXPECT_EQ(ReasonOf(2), MissReason::kCanceled);
  for (const auto& put : node.puts) {
    EXPECT_EQ(put.bytes, testing::PayloadOf(put.header.key, kBlock)) << "not the pattern";
  }
}

TEST_F(ClientRegionTest, WhatIsQueuedIsCanceledWithoutAConnection) {
  coordinator_answers = false;
  Start();
  ASSERT_TRUE(Get(1).ok());
  ASSERT_TRUE(Put(2).ok());
  DropRegion();
  EXPECT_EQ(ReasonOf(1), MissReason::kCanceled);
  EXPECT_EQ(ReasonOf(2), MissReason::kCanceled);
}

TEST_F(ClientRegionTest, WhatIsAskedForAndNotBegunIsCanceledAndRefusedLater) {
  node.delivers = false;
  Start();
  ASSERT_TRUE(Get(1).ok());
  ASSERT_TRUE(UntilFetched());
  region.reset();
  FillPattern(absl::MakeSpan(memory));
  node.SendBlock(node.fetches[0], 0, {});
  RunFor(absl::Milliseconds(50));
  EXPECT_TRUE(IsFilled(memory));
  EXPECT_EQ(ReasonOf(1), MissReason::kCanceled);
  EXPECT_EQ(node.connected.size(), 2u) << "the connection need not go for that";
}

TEST_F(ClientRegionTest, ScatteredBlocksDieWithTheirRegionTooThoughTheyLandElsewhere) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  ThrottleBothWays();
  const Extents pieces{.stride_bytes = 2 * kBlock, .count = 4, .size_bytes = kBlock / 4};
  Transfer transfer = MakeTransfer(2, NumberedKey(2), 2);
  transfer.extents = {&pieces, 1};
  ASSERT_TRUE(client->Get({&transfer, 1}, LeaseId::kNone, In(absl::Seconds(5))).ok());
  RunFor(absl::Milliseconds(20));
  DropRegion();
  EXPECT_EQ(ReasonOf(2), MissReason::kCanceled);
}

TEST_F(ClientRegionTest, TransfersOfAnotherRegionGoOn) {
  node.delivers = false;
  Start();
  std::vector<std::byte> other(kBlock);
  const auto other_region = client->Register(absl::MakeSpan(other)).value();
  const Extents whole{.size_bytes = kBlock};
  const Transfer transfer{
      .key = NumberedKey(2), .region = other_region.get(), .extents = {&whole, 1}, .tag = 2};
  ASSERT_TRUE(Get(1).ok());
  ASSERT_TRUE(client->Get({&transfer, 1}, LeaseId::kNone, In(absl::Seconds(5))).ok());
  ASSERT_TRUE(UntilFetched(2));
  region.reset();
  for (const auto& fetch : node.fetches) node.SendBlock(fetch, 0, {});
  EXPECT_EQ(ReasonOf(2), MissReason::kNone);
  EXPECT_EQ(other, testing::PayloadOf(NumberedKey(2), kBlock));
  EXPECT_EQ(ReasonOf(1), MissReason::kCanceled);
}

TEST_F(ClientRegionTest, MayOutliveItsClient) {
  Start();
  ASSERT_TRUE(Get(1).ok());
  client.reset();
  EXPECT_EQ(region->size_bytes(), memory.size());
  region.reset();
}

TEST_F(ClientRegionTest, EmptyMemoryIsRefused) {
  Start();
  EXPECT_EQ(client->Register({}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
