// A node that stands still: nobody waits beyond a deadline, nothing lands afterwards.
#include <csignal>

#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

constexpr size_t kBlocks = 32;
constexpr absl::Duration kStopped = absl::Seconds(30);

using Stop = ClusterTest;

TEST_F(Stop, EveryGetEndsByItsDeadlineAndNothingLandsLate) {
  Start(1, 256u << 20);
  EngineOptions options = MakeEngineOptions();
  options.block_bytes = 1u << 20;
  options.blocks = kBlocks;
  auto connected = Engine::Connect(options);
  ASSERT_TRUE(connected.ok()) << connected.status();
  Engine& engine = **connected;
  const std::vector<BlockKey> keys = engine.Keys(1, kBlocks);
  ASSERT_EQ(engine.Put(keys, absl::Seconds(5)).ok, kBlocks);
  const Instant begun = RealClock().Now();
  bool stopped = false;
  for (int round = 0; RealClock().Now() - begun < kStopped; ++round) {
    const Outcome outcome = engine.Get(keys, absl::Milliseconds(500 + 300 * (round % 5)), [&] {
      std::array<Completion, 0> none;
      engine.client().Poll(absl::MakeSpan(none));
      if (!stopped) cluster->processes()[1].Signal(SIGSTOP);
      stopped = true;
    });
    EXPECT_EQ(outcome.late, 0u);
    EXPECT_EQ(outcome.wrong_bytes, 0u);
    EXPECT_TRUE(round == 0 || outcome.ok == 0);
    for (size_t i = 0; i < kBlocks; ++i) {
      std::fill(engine.slot(i).begin(), engine.slot(i).end(), std::byte{0x5a});
    }
  }
  cluster->processes()[1].Signal(SIGCONT);
  const auto untouched = [&engine] {
    for (size_t i = 0; i < kBlocks; ++i) {
      for (const std::byte byte : engine.slot(i)) {
        if (byte != std::byte{0x5a}) return false;
      }
    }
    return true;
  };
  // Polled while the node works off what it had begun.
  EXPECT_FALSE(Eventually(absl::Seconds(3), [&] {
    std::array<Completion, 1> none;
    EXPECT_EQ(engine.client().Poll(absl::MakeSpan(none)), 0u);
    return !untouched();
  }));
  EXPECT_TRUE(Eventually(absl::Seconds(10),
                         [&] { return engine.Get(keys, absl::Seconds(2)).ok == kBlocks; }));
  EXPECT_TRUE(Eventually(absl::Seconds(10), [this] { return Sum("cairn_pins") == 0; }));
}

TEST_F(Stop, ADrainEndsWhatIsInFlightAndExitsWithZero) {
  Start(1, 256u << 20);
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  const std::vector<BlockKey> keys = engine->Keys(1, 64);
  ASSERT_EQ(engine->Put(keys, absl::Seconds(2)).ok, keys.size());
  const Outcome outcome = engine->Get(keys, absl::Seconds(2), [&] {
    std::array<Completion, 0> none;
    engine->client().Poll(absl::MakeSpan(none));
    cluster->processes()[1].Signal(SIGTERM);
  });
  EXPECT_EQ(outcome.late, 0u);
  EXPECT_EQ(outcome.wrong_bytes, 0u);
  EXPECT_EQ(cluster->processes()[1].Stop(), 0);
}

}  // namespace
}  // namespace cairn::process
