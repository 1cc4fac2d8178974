// Puts of copies: the caller's bytes are free when the call returns, and copies are bounded.
#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::kBlock;
using testing::NumberedKey;
using wire::MissReason;

constexpr uint64_t kStagedBytesMax = 64u << 20;
constexpr uint32_t kLarge = 4u << 20;

struct PutBehind : testing::ClientFixture {
  // From the first 4 MiB of the memory.
  Transfer Large(uint64_t number) {
    large = {.base_bytes = 0, .size_bytes = kLarge};
    return {.key = NumberedKey(number),
            .region = region.get(),
            .extents = {&large, 1},
            .tag = number,
            .run_key = NumberedKey(number)};
  }
  absl::Status Submit(const std::vector<Transfer>& batch) {
    return client->PutBehind(batch, {}, In(absl::Seconds(60)));
  }

  Extents large;
};

TEST_F(PutBehind, WhatIsStoredIsWhatTheBytesWereAtTheCall) {
  Start();
  Fill(1);
  ASSERT_TRUE(Submit({MakeTransfer(1, NumberedKey(1), 1)}).ok());
  FillPattern(Slot(1));
  EXPECT_EQ(ReasonOf(1), MissReason::kNone);
  ASSERT_EQ(node.puts.size(), 1u);
  EXPECT_EQ(node.puts[0].bytes, testing::PayloadOf(NumberedKey(1), kBlock));
}

TEST_F(PutBehind, TheRegionMayDieAtOnce) {
  Start();
  Fill(1);
  ASSERT_TRUE(Submit({MakeTransfer(1, NumberedKey(1), 1)}).ok());
  region.reset();
  EXPECT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.puts[0].bytes, testing::PayloadOf(NumberedKey(1), kBlock));
}

TEST_F(PutBehind, ScatteredBlocksAreGatheredInOrder) {
  Start();
  const std::vector<std::byte> bytes = testing::PayloadOf(NumberedKey(1), kBlock);
  const Extents pieces{.stride_bytes = kBlock, .count = 4, .size_bytes = kBlock / 4};
  for (size_t i = 0; i < 4; ++i) {
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(i * kBlock / 4), kBlock / 4,
                memory.begin() + static_cast<ptrdiff_t>(i * kBlock));
  }
  Transfer transfer = MakeTransfer(1, NumberedKey(1), 1);
  transfer.extents = {&pieces, 1};
  ASSERT_TRUE(Submit({transfer}).ok());
  FillPattern(absl::MakeSpan(memory));
  EXPECT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.puts[0].bytes, bytes);
}

TEST_F(PutBehind, CopiesAreBoundedAndAFullPoolTakesNothing) {
  Start();
  node_host.Stop();
  uint64_t number = 1;
  for (; number <= kStagedBytesMax / kLarge; ++number) {
    ASSERT_TRUE(Submit({Large(number)}).ok()) << number;
  }
  const absl::Status full = Submit({Large(number)});
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("67108864"));
  Fill(60);
  EXPECT_FALSE(Submit({MakeTransfer(60, NumberedKey(60), 60)}).ok());
  node_host.Continue();
  EXPECT_TRUE(Until([&] { return done.size() == number - 1; }));
  EXPECT_FALSE(done.contains(number)) << "what was refused never completes";
  EXPECT_TRUE(Submit({Large(number)}).ok());
  EXPECT_EQ(ReasonOf(number), MissReason::kNone);
}

TEST_F(PutBehind, ABatchThatDoesNotFitLeavesItsRoomToOthers) {
  Start();
  node_host.Stop();
  for (uint64_t number = 1; number <= 14; ++number) ASSERT_TRUE(Submit({Large(number)}).ok());
  EXPECT_EQ(Submit({Large(20), Large(21), Large(22)}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Submit({Large(15), Large(16)}).ok());
  EXPECT_FALSE(Submit({Large(17)}).ok());
  node_host.Continue();
  EXPECT_TRUE(Until([&] { return done.size() == 16; }));
}

TEST_F(PutBehind, ARefusedPutGivesItsRoomBack) {
  Start();
  node.put_status = MissReason::kCapacity;
  for (uint64_t number = 1; number <= 40; ++number) {
    ASSERT_TRUE(Submit({Large(number)}).ok()) << number;
    ASSERT_EQ(ReasonOf(number), MissReason::kCapacity);
  }
}

TEST_F(PutBehind, ADeadlineGivesItsRoomBack) {
  Start();
  node_host.Stop();
  for (uint64_t number = 1; number <= 16; ++number) {
    const Transfer transfer = Large(number);
    ASSERT_TRUE(client->PutBehind({&transfer, 1}, {}, In(absl::Milliseconds(100))).ok());
  }
  ASSERT_TRUE(Until([&] { return done.size() == 16; }));
  for (uint64_t number = 17; number <= 32; ++number) {
    EXPECT_TRUE(Submit({Large(number)}).ok()) << number;
  }
  node_host.Continue();
}

TEST_F(PutBehind, BadTransfersAreNamedBeforeAnythingIsCopied) {
  Start();
  Transfer bad = MakeTransfer(2, NumberedKey(2), 2);
  bad.region = nullptr;
  const absl::Status status = Submit({MakeTransfer(1, NumberedKey(1), 1), bad});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("batch[1].region"));
  RunFor(absl::Milliseconds(50));
  EXPECT_TRUE(done.empty());
}

}  // namespace
}  // namespace cairn
