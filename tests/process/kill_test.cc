// kill -9 of each kind of process in mid-transfer, twenty times each.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "base/check.h"

#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

constexpr int kKills = 20;
constexpr size_t kBlocks = 64;
constexpr absl::Duration kTimeout = absl::Seconds(2);

// A client that stores and reads in a process of its own.
class Load {
 public:
  Load(const LocalCluster& cluster, int salt) {
    int ends[2];
    CAIRN_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    rounds_.Reset(ends[0]);
    const FileDescriptor child_end(ends[1]);
    auto started = ChildProcess::Start({.arguments = {CAIRN_LOAD_CLIENT, cluster.coordinator(),
                                                      cluster.tenant_file(), std::to_string(salt)},
                                        .inherited_descriptor = child_end.get()});
    CAIRN_CHECK(started.ok());
    process_.emplace(*std::move(started));
  }
  // Waits until it ended one more round; false: the process ended.
  bool AwaitRound() const {
    char round;
    return read(rounds_.get(), &round, 1) == 1;
  }
  // Waits for the rounds that it ended until now, and two more: the first may have begun before.
  bool GoesOn() const {
    int waiting = 0;
    ioctl(rounds_.get(), FIONREAD, &waiting);
    for (int i = 0; i < waiting + 2; ++i) {
      if (!AwaitRound()) return false;
    }
    return true;
  }
  void Kill() {
    process_->Signal(SIGKILL);
    process_->Stop();
  }

 private:
  FileDescriptor rounds_;
  std::optional<ChildProcess> process_;
};

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
  Load load(*cluster, 100);
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  size_t misses = 0;
  for (int i = 0; i < kKills; ++i) {
    const std::vector<BlockKey> keys = engine->Keys(static_cast<uint64_t>(i), kBlocks);
    const size_t victim = 1 + static_cast<size_t>(i % 2);
    const auto kill = [&] {
      std::array<Completion, 0> none;
      engine->client().Poll(absl::MakeSpan(none));
      cluster->processes()[victim].Signal(SIGKILL);
    };
    const bool in_a_put = i % 4 >= 2;
    if (!in_a_put) Store(*engine, keys);
    const Outcome outcome =
        in_a_put ? engine->Put(keys, kTimeout, kill) : engine->Get(keys, kTimeout, kill);
    EXPECT_EQ(outcome.wrong_bytes, 0u);
    EXPECT_EQ(outcome.late, 0u);
    misses += kBlocks - outcome.ok;
    ASSERT_TRUE(cluster->Restart(victim).ok());
    // What a torn put left is absent or whole.
    EXPECT_EQ(engine->Get(keys, kTimeout).wrong_bytes, 0u);
  }
  EXPECT_GT(misses, 0u);  // else nothing was killed in time
  EXPECT_TRUE(load.GoesOn());
  load.Kill();
  const std::vector<BlockKey> keys = engine->Keys(1000, kBlocks);
  Store(*engine, keys);
  EXPECT_EQ(engine->Get(keys, kTimeout).ok, kBlocks);
  ExpectNothingHeld();
}

TEST_F(Kill, TheCoordinatorUnderLoad) {
  Start(2, 256u << 20);
  Load load(*cluster, 100);
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
  EXPECT_TRUE(load.GoesOn());
  load.Kill();
  // P4: the new coordinator hears from the nodes what they hold.
  const auto other = ConnectEngine();
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(
      Eventually(absl::Seconds(10), [&] { return other->Get(known, kTimeout).ok == kBlocks; }));
  const std::vector<BlockKey> keys = engine->Keys(7000, kBlocks);
  Store(*engine, keys);
  EXPECT_EQ(engine->Get(keys, kTimeout).ok, kBlocks);
  ExpectNothingHeld();
}

TEST_F(Kill, AClientInMidTransfer) {
  Start(2, 256u << 20);
  for (int i = 0; i < kKills; ++i) {
    Load client(*cluster, i);
    EXPECT_TRUE(client.AwaitRound());
    client.Kill();
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
