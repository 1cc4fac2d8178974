// Bulk transfers of the simulated lane: when bytes land, and when nothing lands any more (P6).
#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/transport/sim/sim_pair.h"

namespace cairn {
namespace {

using testing::AsBytes;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Memory;
using ::testing::Not;
using testing::Outcome;
using testing::Pair;

constexpr size_t kBytes = 64 * 1024;
constexpr std::byte kOld{0x11};
constexpr std::byte kNew{0x22};
constexpr std::byte kReused{0x33};

// The client sends one bulk of kNew bytes into the server's kOld memory.
struct BulkPair : Pair {
  explicit BulkPair(const SimWorldOptions& options = {})
      : Pair(options), source(*client, kBytes, kNew), destination(*server, kBytes, kOld) {
    server->land = [this](uint64_t) {
      return Landing{.accepted = true, .destination = destination.slice(), .tag = 9};
    };
    endpoint = Connect();
  }
  ~BulkPair() { Finish(); }

  absl::Status Send() {
    const std::string header = "header";
    const Bulk bulk = {.header = AsBytes(header), .source = source.slice(), .tag = 5};
    return client->worker().SendBulks(endpoint, {&bulk, 1});
  }
  size_t Landed() const {
    return std::count(destination.bytes.begin(), destination.bytes.end(), kNew);
  }
  // Half of the bytes have landed, and the link is slow enough to see it.
  void SendHalf() {
    link_to_server().bytes_per_second = 1'000'000;
    EXPECT_TRUE(Send().ok());
    EXPECT_TRUE(Until([&] { return Landed() > 0; }));
    EXPECT_LT(Landed(), kBytes);
  }

  Memory source;
  Memory destination;
  EndpointId endpoint{};
};

TEST(SimBulk, LandsPieceByPieceAndCompletesOnBothSides) {
  BulkPair pair;
  pair.SendHalf();
  EXPECT_THAT(pair.server->received, IsEmpty());
  ASSERT_TRUE(pair.Until([&] { return !pair.client->sent.empty(); }));
  EXPECT_EQ(pair.Landed(), kBytes);
  EXPECT_THAT(pair.server->arrivals, ElementsAre("header"));
  EXPECT_THAT(pair.server->received, ElementsAre(Outcome{9, absl::StatusCode::kOk}));
  EXPECT_THAT(pair.client->sent, ElementsAre(Outcome{5, absl::StatusCode::kOk}));
}

TEST(SimBulk, ARefusedOneEndsForTheSenderAndTouchesNothing) {
  BulkPair pair;
  pair.server->land = nullptr;
  ASSERT_TRUE(pair.Send().ok());
  ASSERT_TRUE(pair.Until([&] { return !pair.client->sent.empty(); }));
  EXPECT_THAT(pair.client->sent, ElementsAre(Outcome{5, absl::StatusCode::kOk}));
  EXPECT_EQ(pair.Landed(), 0u);
}

TEST(SimBulk, NothingLandsAfterTheReceiversOnClosed) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    BulkPair pair({.seed = seed});
    pair.SendHalf();
    pair.server->on_closed = [&] {
      std::fill(pair.destination.bytes.begin(), pair.destination.bytes.end(), kReused);
    };
    pair.server->worker().Close(pair.server->accepted[0]);
    pair.RunFor(absl::Seconds(2));
    ASSERT_EQ(pair.server->closed, 1);
    EXPECT_THAT(pair.server->received, ElementsAre(Outcome{9, absl::StatusCode::kCancelled}));
    EXPECT_THAT(pair.destination.bytes, ::testing::Each(kReused)) << "seed " << seed;
    pair.client->worker().Close(pair.endpoint);
    pair.RunFor(absl::Seconds(1));
    EXPECT_EQ(pair.client->sent.size(), 1u);
  }
}

TEST(SimBulk, BytesMayLandBetweenCloseAndOnClosed) {
  int seen = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    BulkPair pair({.seed = seed});
    pair.SendHalf();
    pair.server->worker().Close(pair.server->accepted[0]);
    std::fill(pair.destination.bytes.begin(), pair.destination.bytes.end(), kReused);
    ASSERT_TRUE(pair.Until([&] { return pair.server->closed == 1; }));
    seen += std::count(pair.destination.bytes.begin(), pair.destination.bytes.end(), kReused) !=
            static_cast<std::ptrdiff_t>(kBytes);
  }
  EXPECT_GT(seen, 5);
}

TEST(SimBulk, ReusingTheDestinationBeforeTheCloseShowsInItsBytes) {
  BulkPair pair;
  pair.SendHalf();
  pair.world.SetCut(testing::kClientIp, testing::kServerIp, true);
  pair.RunFor(absl::Seconds(3));
  std::fill(pair.destination.bytes.begin(), pair.destination.bytes.end(), kReused);
  pair.world.SetCut(testing::kClientIp, testing::kServerIp, false);
  pair.RunFor(absl::Seconds(3));
  EXPECT_GT(pair.Landed(), 0u);
}

TEST(SimBulk, AStoppedSenderLandsTheRestWhenItContinues) {
  BulkPair pair;
  pair.SendHalf();
  pair.client->host().Stop();
  pair.RunFor(absl::Milliseconds(50));
  const size_t landed = pair.Landed();
  pair.RunFor(absl::Seconds(30));
  EXPECT_EQ(pair.Landed(), landed);
  pair.client->host().Continue();
  pair.RunFor(absl::Seconds(1));
  EXPECT_EQ(pair.Landed(), kBytes);
}

TEST(SimBulk, AStoppedReceiverIsNoObstacleToWhatItAccepted) {
  BulkPair pair;
  pair.SendHalf();
  pair.server->host().Stop();
  pair.RunFor(absl::Seconds(1));
  EXPECT_EQ(pair.Landed(), kBytes);
  EXPECT_THAT(pair.server->received, IsEmpty());
}

TEST(SimBulk, AStoppedReceiverAcceptsNothingNew) {
  BulkPair pair;
  pair.server->host().Stop();
  ASSERT_TRUE(pair.Send().ok());
  pair.RunFor(absl::Seconds(1));
  EXPECT_THAT(pair.server->arrivals, IsEmpty());
  EXPECT_EQ(pair.Landed(), 0u);
}

TEST(SimBulk, ACrashedSenderStopsLandingAndTheReceiverGetsItsBufferBack) {
  for (SimCrash how : {SimCrash::kProcess, SimCrash::kPower}) {
    BulkPair pair;
    pair.SendHalf();
    pair.client->host().Crash(how);
    std::fill(pair.source.bytes.begin(), pair.source.bytes.end(), kReused);
    pair.RunFor(absl::Seconds(1));
    EXPECT_LT(pair.Landed(), kBytes);
    EXPECT_THAT(pair.destination.bytes, Not(Contains(kReused)));
    EXPECT_EQ(pair.server->failures.size(), how == SimCrash::kProcess ? 1u : 0u);
    pair.server->worker().Close(pair.server->accepted[0]);
    ASSERT_TRUE(pair.Until([&] { return pair.server->closed == 1; }));
    EXPECT_EQ(pair.server->received.size(), 1u);
    EXPECT_NE(pair.server->received[0].code, absl::StatusCode::kOk);
  }
}

TEST(SimBulk, ACrashedReceiverGivesTheSenderItsSourceBackAfterClose) {
  BulkPair pair;
  pair.SendHalf();
  pair.server->host().Crash(SimCrash::kProcess);
  pair.RunFor(absl::Seconds(1));
  ASSERT_EQ(pair.client->failures.size(), 1u);
  pair.client->worker().Close(pair.endpoint);
  ASSERT_TRUE(pair.Until([&] { return pair.client->closed == 1; }));
  ASSERT_EQ(pair.client->sent.size(), 1u);
  EXPECT_EQ(pair.client->sent[0].tag, 5u);
  EXPECT_NE(pair.client->sent[0].code, absl::StatusCode::kOk);
}

TEST(SimBulk, CorruptionFlipsBitsOfThePayloadOnly) {
  BulkPair pair;
  pair.link_to_server().corrupt_ppm = 1'000'000;
  ASSERT_TRUE(pair.Send().ok());
  ASSERT_TRUE(pair.Until([&] { return !pair.server->received.empty(); }));
  EXPECT_THAT(pair.server->arrivals, ElementsAre("header"));
  EXPECT_GE(kBytes - pair.Landed(), 1u);
  EXPECT_LE(kBytes - pair.Landed(), 8u);
  EXPECT_THAT(pair.server->received, ElementsAre(Outcome{9, absl::StatusCode::kOk}));
}

TEST(SimBulk, ASlowHostTakesAsLongAsItsBandwidthSays) {
  BulkPair pair;
  pair.server->host().LimitBandwidth(kBytes);
  const Instant start = pair.world.scheduler().Now();
  ASSERT_TRUE(pair.Send().ok());
  ASSERT_TRUE(pair.Until([&] { return !pair.server->received.empty(); }));
  EXPECT_GT(pair.world.scheduler().Now() - start, absl::Milliseconds(600));
  EXPECT_LT(pair.world.scheduler().Now() - start, absl::Milliseconds(1500));
}

TEST(SimBulk, ADuplicateArrivesAgainWithTheSameBytes) {
  BulkPair pair;
  pair.link_to_server().duplicate_ppm = 1'000'000;
  Memory second(*pair.server, kBytes, kOld);
  int arrivals = 0;
  pair.server->land = [&](uint64_t) {
    return Landing{.accepted = true,
                   .destination = arrivals++ == 0 ? pair.destination.slice() : second.slice(),
                   .tag = 9};
  };
  ASSERT_TRUE(pair.Send().ok());
  ASSERT_TRUE(pair.Until([&] { return pair.server->received.size() == 2; }));
  EXPECT_EQ(pair.destination.bytes, pair.source.bytes);
  EXPECT_EQ(second.bytes, pair.source.bytes);
  pair.RunFor(absl::Seconds(1));
  EXPECT_EQ(pair.client->sent.size(), 1u);
}

TEST(SimBulk, ArrivalsKeepTheirOrderButNotTheirPlaceAmongMessages) {
  bool bulk_first = false;
  bool message_first = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    BulkPair pair({.seed = seed, .link = {.jitter = absl::Milliseconds(1)}});
    pair.server->land = nullptr;
    ASSERT_TRUE(pair.client->worker().SendMessage(pair.endpoint, AsBytes("m")).ok());
    const std::string names[] = {"0", "1", "2"};
    std::vector<Bulk> bulks;
    for (const std::string& name : names) {
      bulks.push_back({.header = AsBytes(name), .source = pair.source.slice()});
    }
    ASSERT_TRUE(pair.client->worker().SendBulks(pair.endpoint, bulks).ok());
    ASSERT_TRUE(pair.Until(
        [&] { return !pair.server->messages.empty() || !pair.server->arrivals.empty(); }));
    (pair.server->messages.empty() ? bulk_first : message_first) = true;
    pair.RunFor(absl::Milliseconds(20));
    EXPECT_THAT(pair.server->arrivals, ElementsAre("0", "1", "2"));
  }
  EXPECT_TRUE(bulk_first);
  EXPECT_TRUE(message_first);
}

TEST(SimBulk, AllOrNoneStartWhenTooManyAreInFlight) {
  BulkPair pair;
  pair.server->land = nullptr;
  pair.server->host().Stop();
  const Bulk bulk = {.header = AsBytes("h"), .source = {pair.source.region.get(), 0, 64}};
  const std::vector<Bulk> most(kBulksInFlightMax - 1, bulk);
  ASSERT_TRUE(pair.client->worker().SendBulks(pair.endpoint, most).ok());
  const std::vector<Bulk> two(2, bulk);
  EXPECT_EQ(pair.client->worker().SendBulks(pair.endpoint, two).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(pair.client->worker().SendBulks(pair.endpoint, {&bulk, 1}).ok());
  pair.server->host().Continue();
  ASSERT_TRUE(pair.Until([&] { return pair.client->sent.size() == kBulksInFlightMax; }));
  EXPECT_TRUE(pair.client->worker().SendBulks(pair.endpoint, most).ok());
  ASSERT_TRUE(pair.Until([&] { return pair.client->sent.size() == 2 * kBulksInFlightMax - 1; }));
}

TEST(SimBulk, EachCallbackComesOnceWhateverFails) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    BulkPair pair({.seed = seed});
    pair.SendHalf();
    SimScheduler& scheduler = pair.world.scheduler();
    pair.RunFor(scheduler.Between(absl::ZeroDuration(), absl::Milliseconds(70)));
    pair.link_to_server().reset_ppm = 1'000'000;
    // Whether the endpoint still stands at this moment is the seed's choice.
    static_cast<void>(pair.client->worker().SendMessage(pair.endpoint, AsBytes("x")));
    pair.RunFor(scheduler.Between(absl::ZeroDuration(), absl::Milliseconds(2)));
    pair.client->worker().Close(pair.endpoint);
    pair.server->worker().Close(pair.server->accepted[0]);
    pair.RunFor(absl::Seconds(1));
    EXPECT_EQ(pair.client->sent.size(), 1u) << "seed " << seed;
    EXPECT_EQ(pair.server->received.size(), 1u) << "seed " << seed;
    EXPECT_EQ(pair.client->closed, 1) << "seed " << seed;
    EXPECT_EQ(pair.server->closed, 1) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cairn
