// A bit turns in the memory of a running node.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "server/cli/replay/payload.h"
#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

constexpr size_t kBlocks = 8;
constexpr absl::Duration kTimeout = absl::Seconds(2);

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
};

std::optional<Range> ArenaOf(pid_t pid) {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  std::string line;
  while (std::getline(maps, line)) {
    if (!absl::StrContains(line, "memfd:cairn-arena")) continue;
    std::istringstream fields(line);
    Range range;
    char dash = 0;
    if (fields >> std::hex >> range.begin >> dash >> range.end) return range;
  }
  return std::nullopt;
}

// Turns one bit in the middle of each copy of the payload in the node's arena. How many there were.
size_t TurnABit(pid_t pid, absl::Span<const std::byte> payload) {
  const auto arena = ArenaOf(pid);
  const FileDescriptor memory(open(absl::StrCat("/proc/", pid, "/mem").c_str(), O_RDWR));
  if (!arena || !memory) return 0;
  std::vector<std::byte> bytes(arena->end - arena->begin);
  const auto from = static_cast<off_t>(arena->begin);
  if (pread(memory.get(), bytes.data(), bytes.size(), from) < std::ssize(bytes)) return 0;
  size_t copies = 0;
  for (auto at = bytes.begin();; ++at) {
    at = std::search(at, bytes.end(), payload.begin(), payload.end());
    if (at == bytes.end()) return copies;
    const auto middle = at + static_cast<ptrdiff_t>(payload.size() / 2);
    const std::byte turned = *middle ^ std::byte{4};
    copies += pwrite(memory.get(), &turned, 1, from + (middle - bytes.begin())) == 1;
  }
}

using Rot = ClusterTest;

TEST_F(Rot, ATurnedBitIsDataLossAndItsBlockIsQuarantined) {
  Start(1, 64u << 20);
  const auto engine = ConnectEngine();
  ASSERT_NE(engine, nullptr);
  const std::vector<BlockKey> keys = engine->Keys(1, kBlocks);
  ASSERT_EQ(engine->Put(keys, kTimeout).ok, kBlocks);
  ASSERT_EQ(engine->Get(keys, kTimeout).ok, kBlocks);
  const std::vector<BlockKey> rotten = {keys[3]};
  std::vector<std::byte> payload(engine->slot(0).size());
  FillPayload(rotten[0], absl::MakeSpan(payload));
  ASSERT_EQ(TurnABit(cluster->processes()[1].pid(), payload), 1u);

  const Outcome first = engine->Get(keys, kTimeout);
  EXPECT_EQ(first.ok, kBlocks - 1);
  EXPECT_EQ(first.data_loss, 1u);
  EXPECT_EQ(first.reasons, (std::map<std::string, size_t>{{"checksum", 1}}));
  EXPECT_EQ(first.wrong_bytes, 0u);
  EXPECT_TRUE(
      Eventually(absl::Seconds(5), [this] { return Sum("cairn_quarantined_blocks_total") == 1; }));

  const Outcome second = engine->Get(keys, kTimeout);
  EXPECT_EQ(second.ok, kBlocks - 1);
  EXPECT_EQ(second.reasons, (std::map<std::string, size_t>{{"absent", 1}}));
  EXPECT_EQ(engine->Match(rotten, kTimeout).blocks, 0u);
  EXPECT_EQ(engine->Put(rotten, kTimeout).ok, 1u);
  const Outcome third = engine->Get(keys, kTimeout);
  EXPECT_EQ(third.ok, kBlocks);
  EXPECT_EQ(third.wrong_bytes, 0u);
  EXPECT_EQ(Sum("cairn_quarantined_blocks_total"), 1);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [this] { return Sum("cairn_pins") == 0; }));
}

}  // namespace
}  // namespace cairn::process
