// Faults told step by step, against the production node, client and coordinator.
#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/shard_counters.h"
#include "tests/sim/scripted_client.h"

namespace cairn::sim {
namespace {

using wire::MissReason;

constexpr ClusterOptions kSmall = {.nodes = 3, .coordinators = 2, .engines = 0};
constexpr absl::Duration kFenceBound = absl::Milliseconds(10);

size_t CountOk(const std::vector<Answer>& answers) {
  return std::count_if(answers.begin(), answers.end(), [](const Answer& answer) {
    return answer.completion.code == absl::StatusCode::kOk;
  });
}

absl::Duration Longest(const std::vector<Answer>& answers) {
  absl::Duration longest;
  for (const Answer& answer : answers) longest = std::max(longest, answer.took);
  return longest;
}

struct Totals {
  uint64_t pins = 0;
  uint64_t reservations = 0;
  uint64_t blocks = 0;
  uint64_t quarantined = 0;
};

Totals Sum(Cluster& cluster) {
  Totals totals;
  for (Process<Node>& process : cluster.nodes()) {
    if (process.component == nullptr) continue;
    const ShardCounters& counters = process.component->shard(0).counters();
    totals.pins += counters.pins.value();
    totals.reservations += counters.reservations.value();
    totals.blocks += counters.blocks.value();
    totals.quarantined += counters.quarantined_total.value();
  }
  return totals;
}

// Until the nodes serve and their reports have reached the coordinators.
void Settle(Cluster& cluster) { cluster.scheduler().RunFor(absl::Seconds(3)); }

struct Scenario : ::testing::Test {
  Scenario() { Settle(cluster); }

  Cluster cluster{kSmall};
};

TEST_F(Scenario, WhatOneClientStoresAnotherReads) {
  ScriptedClient writer(cluster, 0);
  ScriptedClient reader(cluster, 0);
  const std::vector<BlockKey> keys = writer.Keys(1, 12);
  ASSERT_EQ(CountOk(writer.Put(keys)), keys.size());
  Settle(cluster);
  const Answer match = reader.Match(keys);
  ASSERT_EQ(match.completion.blocks, keys.size());
  EXPECT_EQ(CountOk(reader.Get(keys, match.completion.lease)), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_TRUE(reader.Holds(i, keys[i])) << i;
}

TEST_F(Scenario, AnotherTenantsBlocksLookAbsent) {
  ScriptedClient owner(cluster, 0);
  ScriptedClient stranger(cluster, 1);
  const std::vector<BlockKey> keys = owner.Keys(1, 8);
  ASSERT_EQ(CountOk(owner.Put(keys)), keys.size());
  Settle(cluster);
  std::vector<BlockKey> unknown = owner.Keys(99, 8);
  for (const std::vector<BlockKey>& asked : {keys, unknown}) {
    const Answer match = stranger.Match(asked);
    EXPECT_EQ(match.completion.code, absl::StatusCode::kOk);
    EXPECT_EQ(match.completion.blocks, 0u);
    EXPECT_EQ(match.completion.reason, MissReason::kAbsent);
    for (const Answer& answer : stranger.Get(asked)) {
      EXPECT_EQ(answer.completion.code, absl::StatusCode::kNotFound);
      EXPECT_EQ(answer.completion.reason, MissReason::kAbsent);
    }
  }
}

TEST_F(Scenario, AnotherTenantsPutUnderTheSameKeysChangesNothing) {
  ScriptedClient owner(cluster, 0);
  ScriptedClient stranger(cluster, 1);
  const std::vector<BlockKey> keys = owner.Keys(1, 8);
  ASSERT_EQ(CountOk(owner.Put(keys)), keys.size());
  for (const Answer& answer : stranger.Put(keys)) {
    EXPECT_NE(answer.completion.reason, MissReason::kConflict);
  }
  Settle(cluster);
  EXPECT_EQ(CountOk(owner.Get(keys)), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_TRUE(owner.Holds(i, keys[i])) << i;
}

TEST_F(Scenario, LosingEveryCoordinatorLosesNoBlock) {
  ScriptedClient client(cluster, 0);
  const std::vector<BlockKey> keys = client.Keys(1, 12);
  ASSERT_EQ(CountOk(client.Put(keys)), keys.size());
  for (size_t i = 0; i < 2; ++i) cluster.CrashCoordinator(i, SimCrash::kPower);
  cluster.scheduler().RunFor(absl::Seconds(20));
  for (size_t i = 0; i < 2; ++i) {
    cluster.coordinators()[i].host.Boot();
    ASSERT_TRUE(cluster.StartCoordinator(i));
  }
  cluster.scheduler().RunFor(absl::Seconds(10));
  ScriptedClient newcomer(cluster, 0);
  EXPECT_EQ(newcomer.Match(keys).completion.blocks, keys.size());
}

TEST_F(Scenario, WithoutCoordinatorsKnownBlocksAreStillRead) {
  ScriptedClient client(cluster, 0);
  const std::vector<BlockKey> keys = client.Keys(1, 12);
  ASSERT_EQ(CountOk(client.Put(keys)), keys.size());
  Settle(cluster);
  ASSERT_EQ(CountOk(client.Get(keys)), keys.size());
  for (size_t i = 0; i < 2; ++i) cluster.CrashCoordinator(i, SimCrash::kProcess);
  cluster.scheduler().RunFor(absl::Seconds(20));
  EXPECT_EQ(CountOk(client.Get(keys)), keys.size());
  const std::vector<BlockKey> unknown = client.Keys(2, 4);
  for (const Answer& answer : client.Get(unknown)) {
    EXPECT_EQ(answer.completion.reason, MissReason::kNoCoordinator);
    EXPECT_LE(answer.took, absl::Seconds(1) + kFenceBound);
  }
}

TEST_F(Scenario, AStoppedNodeMakesNobodyLateAndLandsNothingLate) {
  ScriptedClient client(cluster, 0);
  const std::vector<BlockKey> keys = client.Keys(1, 16);
  ASSERT_EQ(CountOk(client.Put(keys)), keys.size());
  Settle(cluster);
  for (Process<Node>& process : cluster.nodes()) process.host.LimitBandwidth(1'000'000);
  client.StartGet(keys, LeaseId::kNone, absl::Milliseconds(100));
  cluster.scheduler().RunFor(absl::Milliseconds(20));
  for (Process<Node>& process : cluster.nodes()) process.host.Stop();
  const std::vector<Answer> answers = client.Wait();
  EXPECT_LT(CountOk(answers), keys.size());
  EXPECT_LE(Longest(answers), absl::Milliseconds(100) + kFenceBound);
  for (size_t i = 0; i < keys.size(); ++i) {
    std::fill(client.slot(i).begin(), client.slot(i).end(), std::byte{0x5a});
  }
  cluster.scheduler().RunFor(absl::Seconds(30));
  for (Process<Node>& process : cluster.nodes()) process.host.Continue();
  cluster.scheduler().RunFor(absl::Seconds(30));
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_THAT(client.slot(i), ::testing::Each(std::byte{0x5a})) << i;
  }
}

TEST_F(Scenario, AFlippedBitBecomesANamedMissAndItsBlockIsQuarantined) {
  ScriptedClient client(cluster, 0);
  const std::vector<BlockKey> keys = client.Keys(1, 1);
  ASSERT_EQ(CountOk(client.Put(keys)), 1u);
  Settle(cluster);
  std::vector<std::byte> payload(client.slot(0).begin(), client.slot(0).end());
  size_t copies = 0;
  for (Process<Node>& process : cluster.nodes()) {
    const absl::Span<std::byte> arena = process.component->shard(0).arena();
    auto found = std::search(arena.begin(), arena.end(), payload.begin(), payload.end());
    if (found == arena.end()) continue;
    *(found + 100) ^= std::byte{4};
    ++copies;
  }
  ASSERT_EQ(copies, 1u);
  const std::vector<Answer> first = client.Get(keys);
  EXPECT_EQ(first[0].completion.code, absl::StatusCode::kDataLoss);
  EXPECT_EQ(first[0].completion.reason, MissReason::kChecksum);
  Settle(cluster);
  EXPECT_EQ(Sum(cluster).quarantined, 1u);
  EXPECT_EQ(Sum(cluster).blocks, 0u);
  EXPECT_EQ(client.Match(keys).completion.blocks, 0u);
}

TEST_F(Scenario, ADeadClientsPinsAndReservationsGoWithIt) {
  auto client = std::make_unique<ScriptedClient>(cluster, 0);
  const std::vector<BlockKey> keys = client->Keys(1, 16);
  ASSERT_EQ(CountOk(client->Put(keys)), keys.size());
  Settle(cluster);
  ASSERT_EQ(client->Match(keys).completion.blocks, keys.size());
  EXPECT_GE(Sum(cluster).pins, keys.size());
  client->Crash();
  cluster.scheduler().RunFor(absl::Seconds(6));
  EXPECT_EQ(Sum(cluster).pins, 0u);
  EXPECT_EQ(Sum(cluster).reservations, 0u);
}

TEST_F(Scenario, ARestartedNodeForgetsItsLeasesAndServesAgain) {
  ScriptedClient client(cluster, 0);
  const std::vector<BlockKey> keys = client.Keys(1, 16);
  ASSERT_EQ(CountOk(client.Put(keys)), keys.size());
  Settle(cluster);
  const Answer match = client.Match(keys);
  ASSERT_EQ(match.completion.blocks, keys.size());
  std::vector<uint64_t> incarnations;
  for (size_t i = 0; i < 3; ++i) {
    incarnations.push_back(cluster.nodes()[i].component->incarnation());
    cluster.CrashNode(i, SimCrash::kProcess);
    cluster.nodes()[i].host.Boot();
    ASSERT_TRUE(cluster.StartNode(i));
    EXPECT_GT(cluster.nodes()[i].component->incarnation(), incarnations[i]);
  }
  for (const Answer& answer : client.Get(keys, match.completion.lease)) {
    EXPECT_NE(answer.completion.code, absl::StatusCode::kOk);
    EXPECT_NE(answer.completion.reason, MissReason::kNone);
  }
  cluster.scheduler().RunFor(absl::Seconds(10));
  EXPECT_EQ(CountOk(client.Put(keys)), keys.size());
  EXPECT_EQ(CountOk(client.Get(keys)), keys.size());
}

TEST_F(Scenario, WallClocksMayJumpUnderAnOpenSession) {
  ScriptedClient client(cluster, 0);
  const std::vector<BlockKey> keys = client.Keys(1, 8);
  ASSERT_EQ(CountOk(client.Put(keys)), keys.size());
  Settle(cluster);
  for (absl::Duration by : {absl::Hours(1), -absl::Hours(2)}) {
    for (Process<Node>& process : cluster.nodes()) process.host.clock().JumpWallClock(by);
    client.host().clock().JumpWallClock(-by);
    EXPECT_EQ(CountOk(client.Get(keys)), keys.size());
  }
}

TEST_F(Scenario, ClientsThatLeaveInMidTransferLeaveNothingBehind) {
  for (int i = 0; i < 5; ++i) {
    ScriptedClient client(cluster, 0);
    const std::vector<BlockKey> keys = client.Keys(static_cast<uint64_t>(i), 16);
    ASSERT_EQ(CountOk(client.Put(keys)), keys.size());
    client.StartGet(keys, LeaseId::kNone, absl::Seconds(1));
    cluster.scheduler().RunFor(absl::Microseconds(100 * i));
  }
  cluster.scheduler().RunFor(absl::Seconds(6));
  EXPECT_EQ(Sum(cluster).pins, 0u);
  EXPECT_EQ(Sum(cluster).reservations, 0u);
}

}  // namespace
}  // namespace cairn::sim
