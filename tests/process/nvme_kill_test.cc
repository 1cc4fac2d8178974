// kill -9 of a node that writes to and reads from its drive, two hundred times in all.
#include <algorithm>
#include <array>
#include <csignal>
#include <random>

#include "tests/process/nvme_cluster.h"

namespace cairn::process {
namespace {

constexpr uint32_t kCourses = 4;
constexpr int kKillsPerCourse = 50;
constexpr int kKillsPerEarlyKill = 5;  // every so many one comes while the node starts
constexpr size_t kBlocks = 64;         // of 64 KiB: 4 MiB a batch
constexpr uint64_t kDramBytes = 16 * kMiB;
constexpr uint64_t kNvmeBytes = 128 * kMiB;  // fuller than full after six lives
constexpr absl::Duration kTimeout = absl::Seconds(2);

// Keeps the core busy, to be more precise than a sleep.
void Spin(absl::Duration time) {
  const Instant end = RealClock().Now() + time;
  while (RealClock().Now() < end) {
  }
}

// One course of lives and deaths for each seed.
class NvmeKill : public NvmeTest, public ::testing::WithParamInterface<uint32_t> {
 protected:
  uint64_t Random(uint64_t end) { return random_() % end; }

  void Begin() {
    Start(1, kDramBytes,
          {"--nvme", drive.path(), "--nvme-bytes", absl::StrCat(kNvmeBytes), "--nvme-segment-bytes",
           absl::StrCat(2 * kMiB)});
  }
  std::vector<BlockKey> Keys(uint64_t batch) const { return engine->Keys(batch, kBlocks); }
  Outcome Checked(Outcome outcome) {
    EXPECT_EQ(outcome.wrong_bytes, 0u);
    EXPECT_EQ(outcome.late, 0u);
    return outcome;
  }
  void KillSoon() {
    std::array<Completion, 0> none;
    engine->client().Poll(absl::MakeSpan(none));
    Spin(absl::Microseconds(Random(10'000)));
    cluster->processes()[kNode].Signal(SIGKILL);
  }
  // Fills the memory and more, then dies in a put or a get. What it stored: batches from `first` to
  // the one before the result.
  uint64_t Live(uint64_t first) {
    const uint64_t last = first + 5 + Random(3);
    for (uint64_t batch = first; batch < last; ++batch) {
      EXPECT_EQ(Checked(engine->Put(Keys(batch), kTimeout)).ok, kBlocks);
    }
    const auto kill = [this] { KillSoon(); };
    if (Random(2) == 0) {
      Checked(engine->Put(Keys(last), kTimeout, kill));
    } else {
      Checked(engine->Get(Keys(first), kTimeout, kill));
    }
    return last + 1;
  }
  void KillInTheStart() {
    ASSERT_TRUE(cluster->BeginRestart(kNode).ok());
    Spin(absl::Milliseconds(Random(100)));
    cluster->processes()[kNode].Signal(SIGKILL);
  }
  // With a new engine: the old one would hesitate to connect to what died so often.
  void Restart() {
    ASSERT_TRUE(cluster->Restart(kNode).ok());
    engine = ConnectEngine();
    ASSERT_NE(engine, nullptr);
  }
  // What was read from the drive in an earlier life is there in this one.
  void ExpectProven() {
    if (proven.empty()) return;
    Outcome got;
    EXPECT_TRUE(Eventually(absl::Seconds(10), [&] {
      got = Checked(engine->Get(proven, kTimeout));
      return got.ok == proven.size();
    })) << ::testing::PrintToString(got.reasons);
  }
  // Of the dead one's blocks some are there, and those are what will be proven next; nothing that
  // nobody stored is.
  void LookAtTheDead(uint64_t first, uint64_t end) {
    std::vector<BlockKey> held;
    for (uint64_t batch = first; batch < end; ++batch) {
      const Outcome got = Checked(engine->Get(Keys(batch), kTimeout));
      held.insert(held.end(), got.held.begin(), got.held.end());
    }
    EXPECT_EQ(Checked(engine->Get(Keys(end), kTimeout)).ok, 0u);
    EXPECT_LE(Sum("cairn_nvme_recovered_records_total"), static_cast<double>(end * kBlocks));
    kept += held.size();
    if (held.size() > kBlocks) held.resize(kBlocks);
    if (!held.empty()) proven = std::move(held);
  }

  std::vector<BlockKey> proven;
  size_t kept = 0;

 private:
  std::mt19937 random_{GetParam()};
};

TEST_P(NvmeKill, NothingThatWasOnTheDriveIsLostOrWrong) {
  Begin();
  engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  uint64_t first = 1;
  for (int kills = 1; kills <= kKillsPerCourse && !HasFailure(); ++kills) {
    SCOPED_TRACE(absl::StrCat("kill ", kills));
    const uint64_t end = Live(first);
    if (kills % kKillsPerEarlyKill == 0) {
      KillInTheStart();
      ++kills;
    }
    Restart();
    if (HasFatalFailure()) return;
    ExpectProven();
    LookAtTheDead(first, end);
    first = end;
  }
  EXPECT_GT(kept, size_t{kKillsPerCourse} * kBlocks / 8);
  EXPECT_EQ(Sum("cairn_nvme_damaged_records_total"), 0);
  EXPECT_GT(Sum("cairn_nvme_dropped_blocks_total"), 0);  // the log goes round
  ExpectNothingHeld();
}

INSTANTIATE_TEST_SUITE_P(Courses, NvmeKill, ::testing::Range<uint32_t>(1, kCourses + 1));

}  // namespace
}  // namespace cairn::process
