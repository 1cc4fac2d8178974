// Real daemons on another host, behind a network that delays, loses and parts.
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "server/cli/control_call.h"
#include "server/cli/local_cluster.h"
#include "tests/netns/two_hosts.h"
#include "tests/process/engine.h"
#include "transport/real_network.h"

namespace cairn::netns {
namespace {

using process::Engine;
using process::Eventually;
using process::Outcome;

constexpr size_t kBlocks = 16;
constexpr absl::Duration kPatience = absl::Seconds(30);

class TwoHostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TwoHosts::Create();
    if (CannotHave(created.status())) GTEST_SKIP() << created.status();
    ASSERT_TRUE(created.ok()) << created.status();
    hosts.emplace(*std::move(created));
    hosts->client.Enter();
    SetLog(LogLevel::kError, LogFormat::kKeyValue);
    network = *CreateRealNetwork({});
    LocalClusterOptions options;
    options.nodes = 2;
    options.dram_bytes_per_node = 128u << 20;
    options.program = CAIRN_PROGRAM;
    options.launcher = hosts->server.Launcher();
    options.host = kServerHost;
    auto started = LocalCluster::Start(options, *network);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster = *std::move(started);
    engine = Connect();
    ASSERT_NE(engine, nullptr);
    keys = engine->Keys(1, kBlocks);
    ASSERT_EQ(engine->Put(keys, absl::Seconds(5)).ok, kBlocks);
  }
  std::unique_ptr<Engine> Connect() const {
    process::EngineOptions options;
    options.coordinator = cluster->coordinator();
    options.tenant = *ReadTenantFile(cluster->tenant_file(), RealDisk());
    options.block_bytes = 256 << 10;
    auto connected = Engine::Connect(options);
    EXPECT_TRUE(connected.ok()) << connected.status();
    return connected.ok() ? *std::move(connected) : nullptr;
  }
  // A get that has asked before `fault` comes.
  Outcome GetInto(absl::Duration timeout, const std::function<void()>& fault) {
    return engine->Get(keys, timeout, [this, &fault] {
      std::array<Completion, 0> none;
      engine->client().Poll(absl::MakeSpan(none));
      fault();
    });
  }
  void Scribble() {
    for (size_t i = 0; i < kBlocks; ++i) {
      std::fill(engine->slot(i).begin(), engine->slot(i).end(), std::byte{0x5a});
    }
  }
  bool Untouched() {
    for (size_t i = 0; i < kBlocks; ++i) {
      for (const std::byte byte : engine->slot(i)) {
        if (byte != std::byte{0x5a}) return false;
      }
    }
    return true;
  }
  // While whoever had begun to write works it off.
  bool StaysUntouched() {
    return !Eventually(absl::Seconds(3), [this] {
      std::array<Completion, 1> none;
      EXPECT_EQ(engine->client().Poll(absl::MakeSpan(none)), 0u);
      return !Untouched();
    });
  }
  bool AllComeBack() {
    return Eventually(kPatience, [this] {
      const Outcome outcome = engine->Get(keys, absl::Seconds(2));
      EXPECT_EQ(outcome.wrong_bytes, 0u);
      return outcome.ok == kBlocks;
    });
  }
  bool PinsAreZero() {
    return Eventually(kPatience, [this] {
      double pins = 0;
      for (const std::string& http : cluster->node_http())
        pins += process::Metric(http, "cairn_pins");
      return pins == 0;
    });
  }

  std::optional<TwoHosts> hosts;  // outlives the daemons on it
  std::unique_ptr<Network> network;
  std::unique_ptr<LocalCluster> cluster;
  std::unique_ptr<Engine> engine;
  std::vector<BlockKey> keys;
};

TEST_F(TwoHostsTest, ASlowLinkMakesNothingWrongAndNobodyLate) {
  hosts->cable->Set({.bits_per_second = 100'000'000});
  for (int round = 0; round < 10; ++round) {
    const Outcome outcome = engine->Get(keys, absl::Milliseconds(50 + 100 * (round % 5)));
    EXPECT_EQ(outcome.wrong_bytes, 0u);
    EXPECT_EQ(outcome.late, 0u);
    Scribble();
  }
  EXPECT_TRUE(AllComeBack());
  hosts->cable->Set({});
  EXPECT_TRUE(PinsAreZero());
}

TEST_F(TwoHostsTest, ALongWayMakesNothingWrongAndNobodyLate) {
  constexpr absl::Duration kDelay = absl::Milliseconds(20);
  hosts->cable->Set({.delay = kDelay, .jitter = absl::Milliseconds(5)});
  const Instant begun = RealClock().Now();
  const Outcome in_time = engine->Get(keys, absl::Seconds(5));
  EXPECT_EQ(in_time.ok, kBlocks) << ::testing::PrintToString(in_time.reasons);
  EXPECT_EQ(in_time.wrong_bytes, 0u);
  EXPECT_GE(RealClock().Now() - begun, 2 * kDelay);
  Scribble();
  const Outcome too_short = engine->Get(keys, 2 * kDelay - absl::Milliseconds(10));
  EXPECT_EQ(too_short.ok, 0u);
  EXPECT_EQ(too_short.late, 0u);
  EXPECT_TRUE(StaysUntouched());
  EXPECT_TRUE(AllComeBack());
  EXPECT_TRUE(PinsAreZero());
}

TEST_F(TwoHostsTest, AFarCoordinatorAnswersTheFirstCall) {
  hosts->cable->Set({.delay = absl::Milliseconds(100)});
  const auto answer = CallBlocking(*network, cluster->coordinator(), "/grpc.health.v1.Health/Check",
                                   "", absl::Seconds(5));
  EXPECT_TRUE(answer.ok()) << answer.status();
  const auto far = Connect();
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(far->Get(keys, absl::Seconds(10)).ok, kBlocks);
}

TEST_F(TwoHostsTest, LostPacketsMakeNothingWrongAndNobodyLate) {
  hosts->cable->Set({.loss = 0.02});
  size_t hits = 0;
  for (int round = 0; round < 20; ++round) {
    const Outcome outcome = engine->Get(keys, absl::Seconds(1));
    EXPECT_EQ(outcome.wrong_bytes, 0u);
    EXPECT_EQ(outcome.late, 0u);
    hits += outcome.ok;
    Scribble();
  }
  EXPECT_GT(hits, 0u);
  hosts->cable->Set({});
  EXPECT_TRUE(AllComeBack());
  EXPECT_TRUE(PinsAreZero());
}

TEST_F(TwoHostsTest, APartitionEndsEveryCallInTimeAndNothingLandsAfterwards) {
  const Outcome parted = GetInto(absl::Milliseconds(700), [this] {
    hosts->cable->Set({.cut_to_first = true, .cut_to_second = true});
  });
  EXPECT_LT(parted.ok, kBlocks);
  EXPECT_EQ(parted.late, 0u);
  EXPECT_EQ(parted.wrong_bytes, 0u);
  Scribble();
  const Outcome still = engine->Get(keys, absl::Milliseconds(300));
  EXPECT_EQ(still.ok, 0u);
  EXPECT_EQ(still.late, 0u);
  hosts->cable->Set({});
  EXPECT_TRUE(StaysUntouched());
  EXPECT_TRUE(AllComeBack());
  EXPECT_TRUE(PinsAreZero());
}

TEST_F(TwoHostsTest, AOneWayCutEndsEveryCallInTime) {
  for (const bool to_server : {true, false}) {
    const Outcome parted = GetInto(absl::Milliseconds(700), [this, to_server] {
      hosts->cable->Set({.cut_to_first = !to_server, .cut_to_second = to_server});
    });
    EXPECT_LT(parted.ok, kBlocks);
    EXPECT_EQ(parted.late, 0u);
    EXPECT_EQ(parted.wrong_bytes, 0u);
    hosts->cable->Set({});
    EXPECT_TRUE(AllComeBack());
  }
  EXPECT_TRUE(PinsAreZero());
}

}  // namespace
}  // namespace cairn::netns
