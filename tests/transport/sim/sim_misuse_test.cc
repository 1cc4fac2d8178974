// Callers that break the contract of transport.h are stopped.
#include <gtest/gtest.h>

#include "tests/transport/sim/sim_pair.h"

namespace cairn {
namespace {

using testing::AsBytes;
using testing::Memory;
using testing::Pair;

struct SlowPair : Pair {
  SlowPair() : source(*client, 4096, std::byte{1}), destination(*server, 4096, std::byte{2}) {
    server->land = [this](uint64_t bytes) {
      return Landing{.accepted = true, .destination = {destination.region.get(), 0, bytes}};
    };
    endpoint = Connect();
    link_to_server().bytes_per_second = 100'000;
  }
  ~SlowPair() { Finish(); }
  void Send(const RegionSlice& slice) {
    const Bulk bulk = {.header = AsBytes("h"), .source = slice};
    ASSERT_TRUE(client->worker().SendBulks(endpoint, {&bulk, 1}).ok());
  }

  Memory source;
  Memory destination;
  EndpointId endpoint{};
};

TEST(SimMisuseDeathTest, DeregisteringASourceInFlight) {
  SlowPair pair;
  pair.Send(pair.source.slice());
  EXPECT_DEATH(pair.source.region.reset(), "holds_ == 0");
}

TEST(SimMisuseDeathTest, DeregisteringADestinationInFlight) {
  SlowPair pair;
  pair.Send(pair.source.slice());
  ASSERT_TRUE(pair.Until([&] { return !pair.server->arrivals.empty(); }));
  EXPECT_DEATH(pair.destination.region.reset(), "holds_ == 0");
}

TEST(SimMisuseDeathTest, ChangingASourceInFlight) {
  SlowPair pair;
  pair.Send(pair.source.slice());
  EXPECT_DEATH(
      {
        pair.source.bytes[7] = std::byte{9};
        pair.RunFor(absl::Seconds(1));
      },
      "source_fingerprint");
}

TEST(SimMisuseDeathTest, LandingTwoBulksInOneMemory) {
  SlowPair pair;
  pair.Send(pair.source.slice());
  EXPECT_DEATH(
      {
        pair.Send(pair.source.slice());
        pair.RunFor(absl::Seconds(1));
      },
      "begin");
}

TEST(SimMisuseDeathTest, LandingOutsideTheRegion) {
  SlowPair pair;
  pair.server->land = [&](uint64_t bytes) {
    return Landing{.accepted = true, .destination = {pair.destination.region.get(), 1, bytes}};
  };
  EXPECT_DEATH(
      {
        pair.Send(pair.source.slice());
        pair.RunFor(absl::Seconds(1));
      },
      "size_bytes");
}

TEST(SimMisuseDeathTest, LandingInMemoryOfAnotherWorker) {
  SlowPair pair;
  pair.server->land = [&](uint64_t bytes) {
    return Landing{.accepted = true, .destination = {pair.source.region.get(), 0, bytes}};
  };
  EXPECT_DEATH(
      {
        pair.Send(pair.source.slice());
        pair.RunFor(absl::Seconds(1));
      },
      "worker");
}

TEST(SimMisuseDeathTest, AWorkerThatDiesBeforeItsRegions) {
  SimWorld world({});
  auto worker = *world.AddHost("10.0.0.1").CreateWorker();
  std::byte memory[64];
  auto region = *worker->Register(memory);
  EXPECT_DEATH(worker.reset(), "regions_ == 0");
}

}  // namespace
}  // namespace cairn
