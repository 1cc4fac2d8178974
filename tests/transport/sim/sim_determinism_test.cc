// The same seed replays the same world, event by event.
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/transport/sim/sim_pair.h"

namespace cairn {
namespace {

using testing::AsBytes;
using testing::Memory;
using testing::Pair;

// A conversation under every fault at once; returns the trace.
uint64_t RunOnce(uint64_t seed, std::vector<std::string>* lines = nullptr) {
  Pair pair({.seed = seed,
             .link = {.jitter = absl::Milliseconds(2),
                      .loss_ppm = 50'000,
                      .reset_ppm = 1'000,
                      .corrupt_ppm = 50'000,
                      .corrupt_header_ppm = 10'000,
                      .duplicate_ppm = 50'000,
                      .reorder_ppm = 50'000}});
  if (lines != nullptr) {
    pair.world.scheduler().trace().set_sink([lines](const std::string& l) { lines->push_back(l); });
  }
  Memory source(*pair.client, 1 << 16, std::byte{1});
  Memory destination(*pair.server, 1 << 20, std::byte{2});
  uint64_t next_slot = 0;
  pair.server->land = [&](uint64_t bytes) {
    const uint64_t offset = next_slot++ * source.bytes.size();
    if (offset + bytes > destination.bytes.size()) return Landing::Refuse();
    return Landing{.accepted = true, .destination = {destination.region.get(), offset, bytes}};
  };
  const EndpointId endpoint = *pair.client->worker().Connect(pair.address);
  for (int i = 0; i < 12; ++i) {
    const Bulk bulk = {.header = AsBytes("header"), .source = source.slice()};
    // A reset may have ended the endpoint.
    static_cast<void>(pair.client->worker().SendBulks(endpoint, {&bulk, 1}));
    static_cast<void>(pair.client->worker().SendMessage(endpoint, AsBytes("message")));
    pair.RunFor(absl::Milliseconds(3));
  }
  pair.Finish();
  return pair.world.trace_hash();
}

TEST(SimDeterminism, TheSameSeedGivesTheSameTrace) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<std::string> first;
    std::vector<std::string> second;
    EXPECT_EQ(RunOnce(seed, &first), RunOnce(seed, &second)) << "seed " << seed;
    ASSERT_EQ(first, second) << "seed " << seed;
  }
}

TEST(SimDeterminism, DifferentSeedsDiffer) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 50; ++seed) hashes.insert(RunOnce(seed));
  EXPECT_EQ(hashes.size(), 50u);
}

}  // namespace
}  // namespace cairn
