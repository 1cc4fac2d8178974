// A cluster of one node with an NVMe tier, per test.
#ifndef CAIRN_TESTS_PROCESS_NVME_CLUSTER_H_
#define CAIRN_TESTS_PROCESS_NVME_CLUSTER_H_

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "tests/process/cluster_test.h"

namespace cairn::process {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr absl::Duration kNvmeTimeout = absl::Seconds(5);
inline constexpr size_t kNode = 1;  // of LocalCluster::processes

inline constexpr uint64_t kSegmentBytes = 32 * kMiB;

struct NvmeSetup {
  uint64_t dram_bytes = 64 * kMiB;
  uint64_t nvme_bytes = 256 * kMiB;
  uint64_t segment_bytes = kSegmentBytes;
  std::vector<std::string> more;
};

class NvmeTest : public ClusterTest {
 protected:
  static constexpr uint32_t kBlockBytes = 256u << 10;
  static constexpr size_t kBatch = 32;  // 8 MiB

  void TearDown() override {
    if (HasFailure() && cluster != nullptr) std::cerr << NodeLog();
  }

  void StartNode(const NvmeSetup& setup) { StartNode(drive.path(), setup); }
  // path: a folder or a device.
  void StartNode(const std::string& path, const NvmeSetup& setup) {
    std::vector<std::string> arguments = {"--nvme",
                                          path,
                                          "--nvme-bytes",
                                          absl::StrCat(setup.nvme_bytes),
                                          "--nvme-segment-bytes",
                                          absl::StrCat(setup.segment_bytes)};
    arguments.insert(arguments.end(), setup.more.begin(), setup.more.end());
    Start(1, setup.dram_bytes, arguments);
    has_drive = true;
    if (!HasFatalFailure()) ConnectBlocks();
  }
  // The engine, with blocks of kBlockBytes.
  void ConnectBlocks() {
    EngineOptions options = MakeEngineOptions();
    options.block_bytes = kBlockBytes;
    options.blocks = kBatch;
    auto connected = Engine::Connect(options);
    ASSERT_TRUE(connected.ok()) << connected.status();
    engine = *std::move(connected);
  }

  std::vector<BlockKey> Batch(uint64_t number) const { return engine->Keys(number, kBatch); }
  // Batches first to end - 1, one after the other. Never wrong, never late.
  Outcome Put(uint64_t first, uint64_t end) { return ForEach(first, end, true); }
  Outcome Get(uint64_t first, uint64_t end) { return ForEach(first, end, false); }
  // The node again, after it ended, with all that its drive has; and a new engine, whom no failure
  // of the last one makes hesitate.
  void RestartNode() {
    const size_t before = Recoveries();
    ASSERT_TRUE(cluster->Restart(kNode).ok());
    EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return !has_drive || Recoveries() > before; }));
    ConnectBlocks();
  }
  // Once the coordinator has heard of them. One by one: of a chain whose runs are on their way to
  // the drive a later one may be there alone, and a lookup of the whole chain ends at the hole.
  void ExpectServed(uint64_t first, uint64_t end, double blocks) {
    Outcome got;
    EXPECT_TRUE(Eventually(absl::Seconds(30),
                           [&] {
                             got = Outcome();
                             for (uint64_t number = first; number < end; ++number) {
                               for (const BlockKey& key : Batch(number)) {
                                 Add(engine->Get({key}, kNvmeTimeout), got);
                               }
                             }
                             return static_cast<double>(got.ok) == blocks;
                           }))
        << got.ok << " of " << blocks << ", " << ::testing::PrintToString(got.reasons);
  }
  // A block whose bytes are wrong where they are kept: that is said once, then it is absent, and it
  // can be stored again.
  void ExpectLostToItsChecksum(const BlockKey& key) {
    std::map<std::string, size_t> reasons = {{"absent", 1}};
    EXPECT_TRUE(Eventually(absl::Seconds(10), [&] {
      reasons = engine->Get({key}, kNvmeTimeout).reasons;
      return !reasons.contains("absent");
    }));
    EXPECT_EQ(reasons, (std::map<std::string, size_t>{{"checksum", 1}}));
    EXPECT_TRUE(Eventually(absl::Seconds(5), [&] {
      return engine->Get({key}, kNvmeTimeout).reasons.contains("absent");
    }));
    EXPECT_EQ(engine->Put({key}, kNvmeTimeout).ok, 1u);
    EXPECT_EQ(engine->Get({key}, kNvmeTimeout).ok, 1u);
  }
  void StopNode() { EXPECT_EQ(cluster->processes()[kNode].Stop(), 0); }
  bool NodeRuns() { return cluster->processes()[kNode].running(); }
  std::string NodeLog() const {
    return RealDisk().ReadFile(cluster->state_folder("node0.log")).value_or("");
  }
  // How often it found a log of an earlier life.
  size_t Recoveries() const {
    const std::vector<std::string> parts = absl::StrSplit(NodeLog(), "event=log_recovered");
    return parts.size() - 1;
  }
  void ExpectNothingHeld() {
    EXPECT_TRUE(Eventually(absl::Seconds(10), [this] {
      return Sum("cairn_pins") == 0 && Sum("cairn_reservations") == 0 && Sum("cairn_sends") == 0;
    }));
  }

  ScratchFolder drive = *ScratchFolder::Create();
  std::unique_ptr<Engine> engine;
  bool has_drive = false;

 private:
  // Never wrong, never late.
  static void Add(const Outcome& one, Outcome& sum) {
    EXPECT_EQ(one.wrong_bytes, 0u);
    EXPECT_EQ(one.late, 0u);
    sum.ok += one.ok;
    for (const auto& [reason, count] : one.reasons) sum.reasons[reason] += count;
    sum.held.insert(sum.held.end(), one.held.begin(), one.held.end());
  }
  Outcome ForEach(uint64_t first, uint64_t end, bool put) {
    Outcome sum;
    for (uint64_t number = first; number < end; ++number) {
      Add(put ? engine->Put(Batch(number), kNvmeTimeout) : engine->Get(Batch(number), kNvmeTimeout),
          sum);
    }
    return sum;
  }
};

}  // namespace cairn::process

#endif  // CAIRN_TESTS_PROCESS_NVME_CLUSTER_H_
