// What a call accepts: all of a batch or nothing, and the field that is wrong is named.
#include <functional>
#include <utility>
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

struct Submit : testing::ClientFixture {
  std::vector<Transfer> Batch(uint64_t first, uint64_t count) {
    std::vector<Transfer> batch;
    for (uint64_t i = first; i < first + count; ++i) {
      batch.push_back(MakeTransfer(i, NumberedKey(i), i % testing::kSlots));
    }
    return batch;
  }
  absl::Status Get(const std::vector<Transfer>& batch) {
    return client->Get(batch, LeaseId::kNone, In(absl::Seconds(5)));
  }
  absl::Status Put(const std::vector<Transfer>& batch) {
    return client->Put(batch, {}, In(absl::Seconds(5)));
  }
  static void ExpectNamed(const absl::Status& status, const char* named) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << named;
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
  }
};

TEST_F(Submit, AnEmptyBatchIsRefused) {
  Start();
  ExpectNamed(Get({}), "batch: empty");
  ExpectNamed(Put({}), "batch: empty");
}

TEST_F(Submit, ABadTransferIsNamedByItsIndexAndNothingIsQueued) {
  Start();
  const Extents beyond{.base_bytes = memory.size(), .size_bytes = 1};
  const std::pair<const char*, std::function<void(Transfer&)>> bad[] = {
      {"batch[2].region: null", [](Transfer& t) { t.region = nullptr; }},
      {"batch[2].extents: 0 given", [](Transfer& t) { t.extents = {}; }},
      {"batch[2].extents[0].base_bytes", [&](Transfer& t) { t.extents = {&beyond, 1}; }},
  };
  for (const auto& [named, damage] : bad) {
    std::vector<Transfer> batch = Batch(1, 3);
    damage(batch[2]);
    ExpectNamed(Get(batch), named);
    ExpectNamed(Put(batch), named);
  }
  RunFor(absl::Milliseconds(50));
  EXPECT_TRUE(done.empty());
  EXPECT_TRUE(node.fetches.empty());
}

TEST_F(Submit, APutsPlaceInItsChainIsChecked) {
  Start();
  const std::pair<const char*, std::function<void(Transfer&)>> bad[] = {
      {"batch[0].position", [](Transfer& t) { t.position = kChainPositionMax + 1; }},
      {"batch[0].parent", [](Transfer& t) { t.parent = NumberedKey(9); }},
      {"batch[0].parent", [](Transfer& t) { t.position = 5; }},
      {"batch[0].run_key", [](Transfer& t) { t.run_key = NumberedKey(9); }},
      {"batch[0].run_key",
       [](Transfer& t) {
         t.position = 4;
         t.parent = NumberedKey(9);
         t.run_key = NumberedKey(8);
       }},
  };
  for (const auto& [named, damage] : bad) {
    std::vector<Transfer> batch = Batch(1, 1);
    damage(batch[0]);
    ExpectNamed(Put(batch), named);
    EXPECT_TRUE(Get(batch).ok()) << "a get asks for none of it";
    EXPECT_EQ(ReasonOf(1), MissReason::kNone);
    done.clear();
  }
}

TEST_F(Submit, MoreThanThereIsRoomForIsRefusedWholeAndFitsLater) {
  options.operations_max = 10;
  node.delivers = false;
  Start();
  ASSERT_TRUE(Get(Batch(1, 8)).ok());
  const absl::Status full = Get(Batch(20, 3));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("Poll and retry"));
  EXPECT_TRUE(Get(Batch(30, 2)).ok());
  ASSERT_TRUE(Until([&] {
    size_t blocks = 0;
    for (const auto& fetch : node.fetches) blocks += fetch.blocks.size();
    return blocks == 10;
  }));
  for (const auto& fetch : node.fetches) {
    for (uint16_t i = 0; i < fetch.blocks.size(); ++i) node.SendBlock(fetch, i, {});
  }
  ASSERT_TRUE(Until([&] { return done.size() == 10; }));
  EXPECT_FALSE(done.contains(20)) << "what was refused never completes";
  node.delivers = true;
  EXPECT_TRUE(Get(Batch(20, 10)).ok());
  EXPECT_TRUE(Until([&] { return done.size() == 20; }));
}

TEST_F(Submit, AChainIsFromOneTo65536Keys) {
  Start();
  ExpectNamed(client->Match({}, 1, In(absl::Seconds(1))), "chain: 0 keys");
  const std::vector<BlockKey> chain(65'537, NumberedKey(1));
  ExpectNamed(client->Match(chain, 1, In(absl::Seconds(1))), "chain: 65537 keys");
}

TEST_F(Submit, MatchesInFlightAreBounded) {
  coordinator_answers = false;
  Start();
  const std::vector<BlockKey> chain = {NumberedKey(1)};
  size_t accepted = 0;
  absl::Status status;
  while ((status = client->Match(chain, accepted, In(absl::Seconds(5)))).ok()) ++accepted;
  EXPECT_EQ(accepted, 4096u);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(Submit, ExtentsAreCopiedByTheCall) {
  node.delivers = false;
  Start();
  {
    const Extents pieces[] = {{.base_bytes = 0, .size_bytes = kBlock / 2},
                              {.base_bytes = kBlock, .size_bytes = kBlock / 2}};
    Transfer transfer = MakeTransfer(1, NumberedKey(1), 1);
    transfer.extents = pieces;
    ASSERT_TRUE(Get({transfer}).ok());
  }
  ASSERT_TRUE(UntilFetched());
  node.SendBlock(node.fetches[0], 0, {});
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  const std::vector<std::byte> bytes = testing::PayloadOf(NumberedKey(1), kBlock);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + kBlock / 2, memory.begin()));
  EXPECT_TRUE(std::equal(bytes.begin() + kBlock / 2, bytes.end(), memory.begin() + kBlock));
}

TEST_F(Submit, LargePiecesLandOneByOneWhereTheyBelong) {
  Start();
  constexpr uint32_t kPiece = 512 << 10;
  const Extents pieces{
      .base_bytes = 4096, .stride_bytes = 2 * kPiece, .count = 3, .size_bytes = kPiece};
  Transfer transfer = MakeTransfer(1, NumberedKey(1), 1);
  transfer.extents = {&pieces, 1};
  ASSERT_TRUE(Get({transfer}).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.fetches[0].blocks[0].chunk_bytes, kPiece);
  const std::vector<std::byte> bytes = testing::PayloadOf(NumberedKey(1), 3 * kPiece);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(std::equal(bytes.begin() + i * kPiece, bytes.begin() + (i + 1) * kPiece,
                           memory.begin() + 4096 + i * 2 * kPiece))
        << i;
  }
}

TEST_F(Submit, HintsReachTheNode) {
  Start();
  Fill(1);
  const std::vector<Transfer> batch = Batch(1, 1);
  ASSERT_TRUE(
      client->Put(batch, {.will_return = true, .one_off = true}, In(absl::Seconds(5))).ok());
  ASSERT_EQ(ReasonOf(1), MissReason::kNone);
  EXPECT_EQ(node.puts[0].header.hints, wire::kHintWillReturn | wire::kHintOneOff);
  for (const auto& [priority, bits] : {std::pair{PutPriority::kLow, wire::kHintLowPriority},
                                       std::pair{PutPriority::kHigh, wire::kHintHighPriority}}) {
    const uint64_t number = 1 + node.puts.size();
    Fill(number);
    ASSERT_TRUE(client->Put(Batch(number, 1), {.priority = priority}, In(absl::Seconds(5))).ok());
    ASSERT_EQ(ReasonOf(number), MissReason::kNone);
    EXPECT_EQ(node.puts.back().header.hints, bits);
  }
}

}  // namespace
}  // namespace cairn
