// kill -9 of each kind of process in mid-transfer, twenty times each.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

constexpr int kKills = 20;
constexpr size_t kBlocks = 64;
constexpr absl::Duration kTimeout = absl::Seconds(2);

class Kill : public ClusterTest {
 protected:
  // Until all of it is stored: a node that has just started is not yet placed upon.
  void Store(Engine& engine, const std::vector<BlockKey>& keys) {
    EXPECT_TRUE(Eventually(absl::Seconds(10),
                           [&] { return engine.Put(keys, kTimeout).ok == keys.size(); }));
  }
  void ExpectNothingHeld() {
    EXPECT_TRUE(Eventually(absl::Seconds(15),
                           [this] {
                             return Sum("cairn_pins") == 0 && Sum("cairn_reservations") == 0 &&
                                    Sum("cairn_sends") == 0;
                           }))
        << Sum("cairn_pins") << " pins, " << Sum("cairn_reservations") << " reservations, "
        << Sum("cairn_sends") << " sends";
  }
};

TEST_F(Kill, ANodeInMidTransfer) {
  Start(2, 256u << 20);
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  size_t misses = 0;
  for (int i = 0; i < kKills; ++i) {
    const std::vector<BlockKey> keys = engine->Keys(static_cast<uint64_t>(i), kBlocks);
    Store(*engine, keys);
    const size_t victim = 1 + static_cast<size_t>(i % 2);
    const Outcome outcome = engine->Get(keys, kTimeout, [&] {
      std::array<Completion, 0> none;
      engine->client().Poll(absl::MakeSpan(none));
      cluster->processes()[victim].Signal(SIGKILL);
    });
    EXPECT_EQ(outcome.wrong_bytes, 0u);
    EXPECT_EQ(outcome.late, 0u);
    misses += kBlocks - outcome.ok;
    ASSERT_TRUE(cluster->Restart(victim).ok());
  }
  EXPECT_GT(misses, 0u);  // else nothing was killed in time
  const std::vector<BlockKey> keys = engine->Keys(1000, kBlocks);
  Store(*engine, keys);
  EXPECT_EQ(engine->Get(keys, kTimeout).ok, kBlocks);
  ExpectNothingHeld();
}

TEST_F(Kill, TheCoordinatorUnderLoad) {
  Start(2, 256u << 20);
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  const std::vector<BlockKey> known = engine->Keys(5000, kBlocks);
  Store(*engine, known);
  for (int i = 0; i < kKills; ++i) {
    const std::vector<BlockKey> fresh = engine->Keys(6000 + static_cast<uint64_t>(i), kBlocks);
    const Outcome put =
        engine->Put(fresh, kTimeout, [&] { cluster->processes()[0].Signal(SIGKILL); });
    EXPECT_EQ(put.late, 0u);
    // Nobody can say where a block is, but the client knows.
    const Outcome got = engine->Get(known, kTimeout);
    EXPECT_EQ(got.ok, kBlocks) << i << " " << ::testing::PrintToString(got.reasons);
    EXPECT_EQ(got.wrong_bytes, 0u);
    ASSERT_TRUE(cluster->Restart(0).ok());
  }
  // P4: the new coordinator hears from the nodes what they hold.
  const auto other = ConnectEngine();
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(
      Eventually(absl::Seconds(10), [&] { return other->Get(known, kTimeout).ok == kBlocks; }));
  const std::vector<BlockKey> keys = engine->Keys(7000, kBlocks);
  Store(*engine, keys);
  EXPECT_EQ(engine->Get(keys, kTimeout).ok, kBlocks);
}

TEST_F(Kill, AClientInMidTransfer) {
  Start(2, 256u << 20);
  for (int i = 0; i < kKills; ++i) {
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    auto client = ChildProcess::Start({.arguments = {CAIRN_LOAD_CLIENT, cluster->coordinator(),
                                                     cluster->tenant_file(), std::to_string(i)},
                                       .inherited_descriptor = pipe_ends[1]});
    ASSERT_TRUE(client.ok());
    close(pipe_ends[1]);
    char rounds[2];
    EXPECT_EQ(read(pipe_ends[0], rounds, 1), 1);
    client->Signal(SIGKILL);
    client->Stop();
    close(pipe_ends[0]);
  }
  ExpectNothingHeld();
  EXPECT_TRUE(Eventually(absl::Seconds(10), [this] { return Sum("cairn_leases") == 0; }));
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  const std::vector<BlockKey> keys = engine->Keys(9000, kBlocks);
  Store(*engine, keys);
  EXPECT_EQ(engine->Get(keys, kTimeout).ok, kBlocks);
}

}  // namespace
}  // namespace cairn::process
