// Drives that fill up, fail, slow down and go away under a running node.
#include <cerrno>
#include <csignal>
#include <optional>

#include "tests/process/fault_folder.h"
#include "tests/process/mounts.h"
#include "tests/process/nvme_cluster.h"

namespace cairn::process {
namespace {

using Reasons = std::map<std::string, size_t>;

constexpr uint64_t kFill = 20;  // batches: 96 MiB leave a memory of 64 MiB, three segments full

class NvmeFault : public NvmeTest {
 protected:
  void SetUp() override {
    const absl::Status entered = EnterPrivateMounts();
    if (!entered.ok()) GTEST_SKIP() << entered.message();
  }
  double Errors() const { return Sum("cairn_nvme_errors_total"); }
  // Puts go on and memory serves, whatever the drive does. What nobody has asked for yet may be the
  // first to leave, and be lost with the drive's segment; what is asked for stays.
  void ExpectMemoryServes(uint64_t batch) {
    EXPECT_TRUE(Eventually(absl::Seconds(30), [this, batch] {
      return Put(batch, batch + 1).ok == kBatch && Get(batch, batch + 1).ok == kBatch;
    }));
    EXPECT_TRUE(NodeRuns());
  }
  // What leaves memory and cannot be written is counted.
  bool RefusalsAreCounted() const { return Sum("cairn_nvme_refused_blocks_total") > 0; }
  // New blocks go to the drive again and come back.
  void ExpectDemotionResumes(uint64_t first) {
    uint64_t end = first;
    EXPECT_TRUE(Eventually(absl::Seconds(60),
                           [this, &end] {
                             end += kFill;
                             Put(end - kFill, end);
                             const double hits = Sum("cairn_nvme_hit_blocks_total");
                             return Get(end - kFill, end).ok > 0 &&
                                    Sum("cairn_nvme_hit_blocks_total") > hits;
                           }))
        << "batches " << first << " to " << end;
  }
};

TEST_F(NvmeFault, AFullFileSystemStopsDemotionUntilThereIsSpaceAgain) {
  const auto tmpfs = Mount::Tmpfs(drive.path(), 12 * kMiB);
  ASSERT_TRUE(tmpfs.ok()) << tmpfs.status();
  StartNode({.segment_bytes = kMiB, .more = {"--nvme-preallocate", "false"}});
  EXPECT_EQ(Put(0, kFill).ok, kFill * kBatch);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [this] { return Errors() > 0; }));
  const Outcome got = Get(0, kFill);
  EXPECT_GE(got.ok, 64 * kMiB / kBlockBytes);
  EXPECT_EQ(got.reasons, (Reasons{{"absent", kFill * kBatch - got.ok}}));
  EXPECT_TRUE(RefusalsAreCounted());
  ExpectMemoryServes(kFill);
  ASSERT_TRUE(tmpfs->Resize(512 * kMiB).ok());
  ExpectDemotionResumes(kFill + 1);
  ExpectNothingHeld();
}

TEST_F(NvmeFault, AReadOnlyFileSystemIsReadFromOn) {
  const ScratchFolder images = *ScratchFolder::Create();
  const auto ext4 = Mount::Ext4(images.File("ext4"), drive.path(), 512 * kMiB);
  if (!ext4.ok()) GTEST_SKIP() << ext4.status();
  StartNode({});
  EXPECT_EQ(Put(0, kFill).ok, kFill * kBatch);
  EXPECT_EQ(Errors(), 0);
  // What is being written when it happens may be lost; nothing is after a planned stop.
  StopNode();
  RestartNode();
  ASSERT_TRUE(ext4->BecomeReadOnly().ok());
  ExpectServed(0, 2, 2.0 * kBatch);
  EXPECT_GE(Sum("cairn_nvme_hit_blocks_total"), 2.0 * kBatch);
  EXPECT_EQ(Put(kFill, 2 * kFill).ok, kFill * kBatch);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [this] { return Errors() > 0; }));
  EXPECT_TRUE(RefusalsAreCounted());
  EXPECT_EQ(Get(0, 2).ok, 2 * kBatch);
  ExpectMemoryServes(2 * kFill);
}

class NvmeFaultFolder : public NvmeFault {
 protected:
  void SetUp() override {
    NvmeFault::SetUp();
    if (IsSkipped()) return;
    auto created = FaultFolder::Create(drive.path(), "cairn-0.log", kDriveBytes);
    if (!created.ok()) GTEST_SKIP() << created.status();
    faults = *std::move(created);
    StartNode({.nvme_bytes = kDriveBytes});
    if (HasFatalFailure()) return;
    EXPECT_EQ(Put(0, kFill).ok, kFill * kBatch);
    EXPECT_EQ(Errors(), 0);
  }
  void TearDown() override {
    NvmeFault::TearDown();
    cluster.reset();  // before its drive
  }
  // Batch 1 is on the drive alone, the last one in memory.
  void ExpectOnlyTheDriveIsLost() {
    EXPECT_EQ(Get(1, 2).reasons, (Reasons{{"drive", kBatch}}));
    ExpectMemoryServes(kFill - 1);
    EXPECT_EQ(Sum("cairn_nvme_drives_failed"), 1);
    EXPECT_EQ(Sum("cairn_nvme_damaged_records_total"), 0);
  }

  static constexpr uint64_t kDriveBytes = 256 * kMiB;
  std::unique_ptr<FaultFolder> faults;
};

TEST_F(NvmeFaultFolder, AReadErrorIsAMissAndTheDriveIsAskedAgainLater) {
  faults->read_error = EIO;
  ExpectOnlyTheDriveIsLost();
  EXPECT_GT(Errors(), 0);
  faults->read_error = 0;
  EXPECT_TRUE(Eventually(absl::Seconds(20), [this] { return Get(1, 2).ok == kBatch; }));
  EXPECT_EQ(Sum("cairn_nvme_drives_failed"), 0);
}

TEST_F(NvmeFaultFolder, AVanishedDriveIsMissesAndMemoryGoesOn) {
  faults->Vanish();
  ExpectOnlyTheDriveIsLost();
  Put(kFill, 2 * kFill);
  EXPECT_TRUE(RefusalsAreCounted());
  ExpectMemoryServes(2 * kFill);
  ExpectNothingHeld();
}

TEST_F(NvmeFaultFolder, AFailedWriteCostsItsSegmentAndIsNotRepeated) {
  faults->write_error = EIO;
  EXPECT_EQ(Put(kFill, 2 * kFill).ok, kFill * kBatch);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [this] { return Errors() > 0; }));
  EXPECT_TRUE(RefusalsAreCounted());
  EXPECT_EQ(Get(1, 2).ok, kBatch);  // reads go on
  ExpectMemoryServes(2 * kFill);
  faults->write_error = 0;
  ExpectDemotionResumes(3 * kFill);
}

TEST_F(NvmeFaultFolder, AFailedFlushCostsItsSegmentAndIsNotRepeated) {
  faults->flush_error = EIO;
  EXPECT_EQ(Put(kFill, 2 * kFill).ok, kFill * kBatch);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [this] { return Errors() > 0; }));
  EXPECT_EQ(Get(1, 2).ok, kBatch);
  faults->flush_error = 0;
  const double dropped_before = Sum("cairn_nvme_blocks");
  StopNode();
  RestartNode();
  // What lay in the abandoned segments may be found by a scan, but each record on its own proof.
  EXPECT_GT(Sum("cairn_nvme_recovered_records_total"), 0);
  EXPECT_GE(Sum("cairn_nvme_recovered_records_total"), dropped_before);
  Get(0, 2 * kFill);
}

TEST_F(NvmeFaultFolder, ASlowDriveIsRefusedInTimeAndMemoryIsNot) {
  constexpr absl::Duration kSoon = absl::Milliseconds(300);
  faults->read_delay_ms = 700;
  for (uint64_t batch = 1; batch < 4; ++batch) {
    const Outcome got = engine->Get(Batch(batch), kSoon);
    EXPECT_EQ(got.ok, 0u);
    EXPECT_EQ(got.late, 0u);
    EXPECT_EQ(Get(kFill - 1, kFill).ok, kBatch);
  }
  // After five such answers it is not asked for a while, and the refusal takes no time.
  EXPECT_TRUE(
      Eventually(absl::Seconds(10), [this] { return Sum("cairn_nvme_drives_failed") == 1; }));
  const Instant begun = RealClock().Now();
  EXPECT_EQ(engine->Get(Batch(4), kNvmeTimeout).reasons, (Reasons{{"drive", kBatch}}));
  EXPECT_LT(RealClock().Now() - begun, absl::Seconds(1));
  faults->read_delay_ms = 0;
  EXPECT_TRUE(Eventually(absl::Seconds(30), [this] { return Get(1, 4).ok == 3 * kBatch; }));
  ExpectNothingHeld();
}

}  // namespace
}  // namespace cairn::process
