// However a node answers, each tag completes once, with right bytes or a named reason.
#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/client_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using testing::FakeNode;
using testing::kBlock;
using testing::NumberedKey;
using wire::MissReason;

struct Completions : testing::ClientFixture {
  // A fetch in the node's hands, which it leaves to the test.
  const FakeNode::FetchSeen& StartGet(uint64_t number, absl::Duration timeout = absl::Seconds(5)) {
    node.delivers = false;
    EXPECT_TRUE(Get(number, timeout).ok());
    const size_t seen = node.fetches.size();
    EXPECT_TRUE(UntilFetched(seen + 1));
    return node.fetches.back();
  }
  // Long enough for everything said to arrive.
  void Settle() { RunFor(absl::Milliseconds(50)); }
};

TEST_F(Completions, BytesThatFitComeWithKOk) {
  Start();
  EXPECT_EQ(GetReason(1), MissReason::kNone);
  EXPECT_EQ(done.at(1).code, absl::StatusCode::kOk);
  EXPECT_TRUE(Holds(1));
  EXPECT_EQ(client->statistics().get_hits, 1u);
  EXPECT_EQ(client->statistics().get_bytes, kBlock);
  EXPECT_EQ(client->get_latency_ns().Snapshot().count(), 1u);
}

TEST_F(Completions, AWrongChecksumIsDataLossAndTheNodeIsTold) {
  Start();
  node.SendBlock(StartGet(1), 0, {.wrong_checksum = true});
  EXPECT_EQ(ReasonOf(1), MissReason::kChecksum);
  EXPECT_EQ(done.at(1).code, absl::StatusCode::kDataLoss);
  Settle();
  EXPECT_THAT(node.suspected, ElementsAre(NumberedKey(1)));
  EXPECT_EQ(client->statistics().checksum_failures, 1u);
}

TEST_F(Completions, AFlippedBitIsDataLoss) {
  Start();
  node.SendBlock(StartGet(1), 0, {.wrong_bytes = true});
  EXPECT_EQ(ReasonOf(1), MissReason::kChecksum);
}

TEST_F(Completions, EveryReasonOfANodeReachesTheCaller) {
  Start();
  uint64_t number = 1;
  for (const auto& [reason, code] : {
           std::pair{MissReason::kAbsent, absl::StatusCode::kNotFound},
           std::pair{MissReason::kLength, absl::StatusCode::kNotFound},
           std::pair{MissReason::kDeadline, absl::StatusCode::kDeadlineExceeded},
           std::pair{MissReason::kOverload, absl::StatusCode::kResourceExhausted},
           std::pair{MissReason::kIncarnation, absl::StatusCode::kFailedPrecondition},
           std::pair{MissReason::kSession, absl::StatusCode::kUnauthenticated},
       }) {
    const uint64_t request = StartGet(number).request;
    node.FailBlock(request, 0, reason);
    EXPECT_EQ(ReasonOf(number), reason);
    EXPECT_EQ(done.at(number).code, code) << wire::MissReasonName(reason);
    EXPECT_EQ(client->statistics().misses_by_reason[static_cast<size_t>(reason)], 1u);
    ++number;
  }
}

TEST_F(Completions, AFailureThatComesTwiceCountsOnce) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1);
  node.FailBlock(fetch.request, 0, MissReason::kAbsent);
  node.FailBlock(fetch.request, 0, MissReason::kOverload);
  EXPECT_EQ(ReasonOf(1), MissReason::kAbsent);
  Settle();
  EXPECT_EQ(done.size(), 1u);
}

TEST_F(Completions, BytesAfterAFailureAreRefused) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1);
  node.FailBlock(fetch.request, 0, MissReason::kAbsent);
  ASSERT_EQ(ReasonOf(1), MissReason::kAbsent);
  FillPattern(Slot(1));
  node.SendBlock(fetch, 0, {});
  Settle();
  EXPECT_TRUE(IsFilled(Slot(1)));
  EXPECT_EQ(client->statistics().late_arrivals_refused, 1u);
}

TEST_F(Completions, BytesThatComeTwiceLandOnce) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1);
  node.SendBlock(fetch, 0, {});
  node.SendBlock(fetch, 0, {});
  EXPECT_EQ(ReasonOf(1), MissReason::kNone);
  Settle();
  EXPECT_EQ(client->statistics().late_arrivals_refused, 1u);
  EXPECT_TRUE(Holds(1));
}

TEST_F(Completions, AFailureAmidTheChunksEndsTheBlockOnceTheLaneHasLetGo) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1);
  world.link("10.0.2.1", "10.0.3.1").bytes_per_second = 1'000'000;
  node.SendBlock(fetch, 0, {.bytes = kBlock / 2});
  RunFor(absl::Milliseconds(5));
  node.FailBlock(fetch.request, 0, MissReason::kDeadline);
  EXPECT_EQ(ReasonOf(1), MissReason::kDeadline);
  FillPattern(Slot(1));
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(IsFilled(Slot(1)));
}

TEST_F(Completions, ChunksOutOfOrderAreRefusedAndTheBlockMeetsItsDeadline) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1, absl::Milliseconds(200));
  node.SendBlock(fetch, 0, {.offset = kBlock / 2});
  Settle();
  EXPECT_EQ(client->statistics().late_arrivals_refused, 1u);
  EXPECT_EQ(ReasonOf(1), MissReason::kDeadline);
}

TEST_F(Completions, BytesOfAnotherLifeOfTheNodeAreRefused) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1, absl::Milliseconds(200));
  node.SendBlock(fetch, 0, {.incarnation = 6});
  EXPECT_EQ(ReasonOf(1), MissReason::kDeadline);
  EXPECT_EQ(client->statistics().late_arrivals_refused, 1u);
}

TEST_F(Completions, AnswersToWhatWasNeverAskedAreIgnored) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1);
  FakeNode::FetchSeen other = fetch;
  other.request = fetch.request + (uint64_t{1} << 20);
  node.SendBlock(other, 0, {});
  other.request = fetch.request ^ 0xfffff;
  node.SendBlock(other, 0, {});
  node.FailBlock(other.request, 0, MissReason::kAbsent);
  node.FailBlock(fetch.request, 63, MissReason::kAbsent);
  node.AnswerPut(fetch.request, MissReason::kNone);
  node.AnswerPut(1, MissReason::kNone);
  Settle();
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(client->statistics().late_arrivals_refused, 2u);
  node.SendBlock(fetch, 0, {});
  EXPECT_EQ(ReasonOf(1), MissReason::kNone);
}

TEST_F(Completions, ADeadlineCancelsAtTheNodeAndWhatComesLaterIsRefused) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1, absl::Milliseconds(100));
  const Instant begin = world.scheduler().Now();
  EXPECT_EQ(ReasonOf(1), MissReason::kDeadline);
  EXPECT_LE(world.scheduler().Now() - begin, absl::Milliseconds(105));
  EXPECT_EQ(done.at(1).code, absl::StatusCode::kDeadlineExceeded);
  Settle();
  EXPECT_THAT(node.canceled, ElementsAre(fetch.request));
  FillPattern(Slot(1));
  node.SendBlock(fetch, 0, {});
  Settle();
  EXPECT_TRUE(IsFilled(Slot(1)));
  EXPECT_EQ(client->statistics().fences, 0u) << "nothing was landing";
}

TEST_F(Completions, ABatchThatMeetsItsDeadlineWhileItLandsSaysSoOfEachOfItsTransfers) {
  Start();
  ASSERT_EQ(GetReason(1), MissReason::kNone);
  world.link("10.0.2.1", "10.0.3.1").bytes_per_second = 1'000'000;  // a block takes 66 ms
  std::vector<Transfer> batch;
  for (uint64_t i = 2; i <= 9; ++i) batch.push_back(MakeTransfer(i, NumberedKey(i), i));
  ASSERT_TRUE(client->Get(batch, LeaseId::kNone, In(absl::Milliseconds(200))).ok());
  ASSERT_TRUE(Until([&] { return done.size() == 9; }));
  size_t late = 0;
  for (uint64_t i = 2; i <= 9; ++i) {
    if (done.at(i).reason == MissReason::kNone) continue;
    EXPECT_EQ(done.at(i).reason, MissReason::kDeadline) << i;
    ++late;
  }
  EXPECT_GE(late, 4u);
  EXPECT_EQ(client->statistics().fences, 1u);
}

TEST_F(Completions, ADeadlineInThePastEndsAtOnce) {
  Start();
  ASSERT_TRUE(Get(1, -absl::Seconds(1)).ok());
  ASSERT_TRUE(Put(2, absl::ZeroDuration()).ok());
  EXPECT_EQ(ReasonOf(1), MissReason::kDeadline);
  EXPECT_EQ(ReasonOf(2), MissReason::kDeadline);
}

TEST_F(Completions, TheNodeLearnsHowMuchTimeIsLeft) {
  Start();
  const FakeNode::FetchSeen& fetch = StartGet(1, absl::Milliseconds(500));
  EXPECT_LE(fetch.budget_us, 500'000u);
  EXPECT_GE(fetch.budget_us, 480'000u);
}

TEST_F(Completions, APutIsDoneWhenItIsSealed) {
  Start();
  node.answers_puts = false;
  ASSERT_TRUE(Put(1).ok());
  ASSERT_TRUE(Until([&] { return node.puts.size() == 1; }));
  Settle();
  EXPECT_FALSE(done.contains(1));
  node.AnswerPut(node.puts[0].header.request, MissReason::kNone);
  node.AnswerPut(node.puts[0].header.request, MissReason::kConflict);
  EXPECT_EQ(ReasonOf(1), MissReason::kNone);
  Settle();
  EXPECT_EQ(done.size(), 1u);
  EXPECT_EQ(client->statistics().put_stored, 1u);
  EXPECT_EQ(node.puts[0].bytes, testing::PayloadOf(NumberedKey(1), kBlock));
}

TEST_F(Completions, EveryRefusalOfAPutReachesTheCaller) {
  Start();
  uint64_t number = 1;
  for (const MissReason reason :
       {MissReason::kCapacity, MissReason::kConflict, MissReason::kParentAbsent,
        MissReason::kDraining, MissReason::kChecksum, MissReason::kOverload}) {
    node.put_status = reason;
    ASSERT_TRUE(Put(number).ok());
    EXPECT_EQ(ReasonOf(number), reason);
    EXPECT_NE(done.at(number).code, absl::StatusCode::kOk);
    ++number;
  }
  EXPECT_EQ(client->statistics().put_stored, 0u);
}

TEST_F(Completions, ManyTransfersAtOnceCompleteOnceEach) {
  Start();
  for (uint64_t number = 1; number < testing::kSlots; ++number) {
    ASSERT_TRUE((number % 2 == 0 ? Get(number) : Put(number)).ok());
  }
  EXPECT_TRUE(Until([&] { return done.size() == testing::kSlots - 1; }));
  RunFor(absl::Seconds(6));
  EXPECT_EQ(done.size(), testing::kSlots - 1);
  for (const auto& [tag, completion] : done) {
    EXPECT_EQ(completion.reason, MissReason::kNone) << tag;
  }
}

TEST_F(Completions, AClientThatGoesInMidTransferTouchesNothingAfterwards) {
  Start();
  const FakeNode::FetchSeen fetch = StartGet(1);
  world.link("10.0.2.1", "10.0.3.1").bytes_per_second = 1'000'000;
  node.SendBlock(fetch, 0, {});
  ASSERT_TRUE(Put(2).ok());
  RunFor(absl::Milliseconds(10));
  client.reset();
  FillPattern(absl::MakeSpan(memory));
  RunFor(absl::Seconds(1));
  EXPECT_TRUE(IsFilled(memory));
}

}  // namespace
}  // namespace cairn
