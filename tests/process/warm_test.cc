// A planned stop: the node's memory goes to its successor, and to nobody else.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>

#include <absl/strings/match.h>

#include "server/cli/replay/payload.h"
#include "tests/process/nvme_cluster.h"

namespace cairn::process {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Reasons = std::map<std::string, size_t>;
namespace fs = std::filesystem;

constexpr uint64_t kHeld = 6;  // batches: 48 MiB of 64
constexpr absl::Duration kLong = absl::Seconds(60);

class Warm : public NvmeTest {
 protected:
  void TearDown() override {
    NvmeTest::TearDown();
    if (cluster == nullptr) return;
    // One that is asked to end would leave its memory once more.
    cluster->processes()[kNode].Signal(SIGKILL);
    if (const auto holder = Holder()) kill(*holder, SIGKILL);
  }
  void StartWith(absl::Duration warm_restart) {
    StartNode({.more = {"--warm-restart", absl::FormatDuration(warm_restart)}});
    ASSERT_EQ(Put(0, kHeld).ok, kHeld * kBatch);
  }
  // The process that keeps the memory.
  std::optional<pid_t> Holder() const {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      pid_t pid = 0;
      if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
      const std::string words = RealDisk().ReadFile(entry.path() / "cmdline").value_or("");
      // Each word ends with a zero.
      if (absl::StrContains(words, std::string("\0hold\0", 6)) &&
          absl::StrContains(words, cluster->state_folder("node0") + '\0')) {
        return pid;
      }
    }
    return std::nullopt;
  }
  bool NoHolderSoon() {
    return Eventually(absl::Seconds(10), [this] { return !Holder().has_value(); });
  }
  void ExpectAllServedFromMemory() {
    ExpectServed(0, kHeld, 1.0 * kHeld * kBatch);
    EXPECT_EQ(Sum("cairn_adopted_blocks_total"), 1.0 * kHeld * kBatch);
    EXPECT_EQ(Sum("cairn_nvme_read_bytes_total"), read_at_start);
    EXPECT_EQ(Sum("cairn_quarantined_blocks_total"), 0);
  }
  void ExpectNothingHandedOver() {
    EXPECT_EQ(Sum("cairn_adopted_blocks_total"), 0);
    EXPECT_EQ(Get(0, kHeld).reasons, (Reasons{{"absent", kHeld * kBatch}}));
    EXPECT_EQ(Put(0, 1).ok, kBatch);  // and it works
    EXPECT_EQ(Get(0, 1).ok, kBatch);
  }
  void KillNode() {
    cluster->processes()[kNode].Signal(SIGKILL);
    EXPECT_TRUE(Eventually(absl::Seconds(10), [this] { return !NodeRuns(); }));
  }

  double read_at_start = 0;
};

// The arena that a process holds open, mapped here.
class HeldArena {
 public:
  explicit HeldArena(pid_t holder) {
    for (const auto& entry : fs::directory_iterator(absl::StrCat("/proc/", holder, "/fd"))) {
      std::error_code gone;
      if (!absl::StrContains(fs::read_symlink(entry, gone).string(), "cairn-arena")) continue;
      const FileDescriptor memory(open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
      struct stat info;
      if (!memory || fstat(memory.get(), &info) != 0) continue;
      const auto size = static_cast<size_t>(info.st_size);
      void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
      if (at != MAP_FAILED) bytes_ = {static_cast<std::byte*>(at), size};
    }
  }
  HeldArena(const HeldArena&) = delete;
  HeldArena& operator=(const HeldArena&) = delete;
  ~HeldArena() {
    if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
  }
  // Turns one bit in the middle of the payload. How often it was there.
  size_t TurnABitOf(absl::Span<const std::byte> payload) {
    size_t copies = 0;
    for (auto at = bytes_.begin();; ++at) {
      at = std::search(at, bytes_.end(), payload.begin(), payload.end());
      if (at == bytes_.end()) return copies;
      *(at + static_cast<ptrdiff_t>(payload.size() / 2)) ^= std::byte{4};
      ++copies;
    }
  }

 private:
  absl::Span<std::byte> bytes_;
};

TEST_F(Warm, AStoppedNodesSuccessorServesEveryBlockFromMemory) {
  StartWith(kLong);
  StopNode();
  EXPECT_TRUE(Holder().has_value());
  RestartNode();
  read_at_start = Sum("cairn_nvme_read_bytes_total");  // recovery's
  ExpectAllServedFromMemory();
  EXPECT_TRUE(NoHolderSoon());
  // What it took over it hands on.
  StopNode();
  RestartNode();
  read_at_start = Sum("cairn_nvme_read_bytes_total");
  ExpectAllServedFromMemory();
  ExpectNothingHeld();
}

TEST_F(Warm, AKilledNodeHandsNothingOver) {
  StartWith(kLong);
  KillNode();
  EXPECT_FALSE(Holder().has_value());
  RestartNode();
  ExpectNothingHandedOver();
}

TEST_F(Warm, ASuccessorThatIsKilledHandsNothingOverThoughItsPredecessorDid) {
  StartWith(kLong);
  StopNode();
  RestartNode();
  EXPECT_GT(Sum("cairn_adopted_blocks_total"), 0);
  KillNode();
  RestartNode();
  ExpectNothingHandedOver();
}

TEST_F(Warm, MemoryThatNobodyAskedForInTimeIsGivenBack) {
  StartWith(absl::Seconds(1));
  StopNode();
  EXPECT_TRUE(NoHolderSoon());
  EXPECT_THAT(NodeLog(), HasSubstr("memory_left"));
  RestartNode();
  ExpectNothingHandedOver();
}

TEST_F(Warm, WithoutATimeNoMemoryIsLeft) {
  StartWith(absl::ZeroDuration());
  StopNode();
  EXPECT_FALSE(Holder().has_value());
  RestartNode();
  ExpectNothingHandedOver();
}

TEST_F(Warm, ANodeOfAnotherIdentityDoesNotGetIt) {
  Start(1, 64 * kMiB, {"--warm-restart", absl::FormatDuration(kLong)});
  ASSERT_FALSE(HasFatalFailure());
  ConnectBlocks();
  ASSERT_EQ(Put(0, kHeld).ok, kHeld * kBatch);
  StopNode();
  ASSERT_TRUE(fs::remove(cluster->state_folder("node0") + "/identity"));
  RestartNode();
  EXPECT_THAT(NodeLog(), HasSubstr("warm_memory_refused"));
  ExpectNothingHandedOver();
  EXPECT_TRUE(NoHolderSoon());  // nobody else will ask
}

TEST_F(Warm, ABitThatTurnedInHeldMemoryIsFoundAtItsBlocksFirstRead) {
  StartWith(kLong);
  StopNode();
  const auto holder = Holder();
  ASSERT_TRUE(holder.has_value());
  const BlockKey rotten = Batch(2)[5];
  std::vector<std::byte> payload(kBlockBytes);
  FillPayload(rotten, absl::MakeSpan(payload));
  ASSERT_EQ(HeldArena(*holder).TurnABitOf(payload), 1u);
  RestartNode();
  ExpectLostToItsChecksum(rotten);
  EXPECT_EQ(Sum("cairn_quarantined_blocks_total"), 1);
  ExpectServed(0, kHeld, 1.0 * kHeld * kBatch);
}

}  // namespace
}  // namespace cairn::process
