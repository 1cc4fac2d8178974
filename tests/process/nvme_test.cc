// Blocks beyond memory: served, kept through stops, checked for rot, unreadable to others.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <xxhash.h>

#include "proto/log_format.h"
#include "server/cli/replay/payload.h"
#include "tests/process/nvme_cluster.h"

namespace cairn::process {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Reasons = std::map<std::string, size_t>;

Checksum SectorSum(absl::Span<const std::byte> sector) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(sector.data(), sector.size()));
  Checksum checksum;
  std::memcpy(checksum.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return checksum;
}

constexpr char kKeyVariable[] = "CAIRN_NVME_KEY_FILE";

class Nvme : public NvmeTest {
 protected:
  void TearDown() override {
    unsetenv(kKeyVariable);
    NvmeTest::TearDown();
  }
  std::string LogFile() const { return drive.File("cairn-0.log"); }

  // Where the block's payload stands in the log, in the clear; -1: nowhere.
  off_t Find(const BlockKey& key) const {
    std::vector<std::byte> payload(kBlockBytes);
    FillPayload(key, absl::MakeSpan(payload));
    const FileDescriptor file(open(LogFile().c_str(), O_RDONLY));
    struct stat info;
    if (!file || fstat(file.get(), &info) != 0) return -1;
    const auto size = static_cast<size_t>(info.st_size);
    void* const bytes = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (bytes == MAP_FAILED) return -1;
    off_t found = -1;
    for (size_t at = 0; found < 0 && at + kBlockBytes <= size; at += kSectorBytes) {
      if (std::memcmp(static_cast<const std::byte*>(bytes) + at, payload.data(), kBlockBytes) == 0)
        found = static_cast<off_t>(at);
    }
    munmap(bytes, size);
    return found;
  }
  template <typename Value>
  void ReadLog(off_t at, Value& value) const {
    const FileDescriptor file(open(LogFile().c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(pread(file.get(), &value, sizeof(value), at), static_cast<ssize_t>(sizeof(value)));
  }
  template <typename Value>
  void WriteLog(off_t at, const Value& value) const {
    const FileDescriptor file(open(LogFile().c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(pwrite(file.get(), &value, sizeof(value), at), static_cast<ssize_t>(sizeof(value)));
    ASSERT_EQ(fdatasync(file.get()), 0);
  }
  log_format::Superblock ReadSuperblock(off_t copy) const {
    log_format::Superblock superblock;
    ReadLog(copy * static_cast<off_t>(log_format::kSector), superblock);
    return superblock;
  }
  void TurnABitOf(const BlockKey& key) {
    const off_t at = Find(key);
    ASSERT_GE(at, 0);
    std::byte middle{};
    ReadLog(at + kBlockBytes / 2, middle);
    WriteLog(at + kBlockBytes / 2, middle ^ std::byte{4});
  }
  // Batch 0, which the drive has, is misses that say why, and can be stored again.
  void ExpectUnreadable() {
    size_t unreadable = 0;
    EXPECT_TRUE(Eventually(absl::Seconds(10), [&] {
      Outcome got = Get(0, 1);
      EXPECT_EQ(got.ok, 0u);
      unreadable += got.reasons["checksum"];
      return unreadable >= kBatch;
    })) << unreadable;
    EXPECT_EQ(Put(0, 1).ok, kBatch);
    EXPECT_EQ(Get(0, 1).ok, kBatch);
  }
  // A block of batch 0, which is on NVMe alone.
  void ExpectOnlyLost(const BlockKey& key) {
    std::vector<BlockKey> others = Batch(0);
    others.erase(std::find(others.begin(), others.end(), key));
    EXPECT_TRUE(Eventually(absl::Seconds(10),
                           [&] { return engine->Get(others, kNvmeTimeout).ok == others.size(); }));
    ExpectLostToItsChecksum(key);
    EXPECT_EQ(Get(0, 1).ok, kBatch);
    EXPECT_EQ(Sum("cairn_nvme_damaged_records_total"), 1);
  }
};

TEST_F(Nvme, WhatLeavesMemoryIsServedFromTheDrive) {
  constexpr uint64_t kBatches = 24;  // three times the memory
  StartNode({.nvme_bytes = 1024 * kMiB, .segment_bytes = 64 * kMiB});
  ASSERT_EQ(Put(0, kBatches).ok, kBatches * kBatch);
  const Outcome got = Get(0, kBatches);
  // A drive that is slower than the engines loses blocks, but says so.
  EXPECT_GE(static_cast<double>(got.ok), kBatches * kBatch - Sum("cairn_evicted_blocks_total"))
      << ::testing::PrintToString(got.reasons);
  EXPECT_GE(got.ok, kBatches * kBatch * 9 / 10);
  EXPECT_GE(Sum("cairn_nvme_hit_blocks_total"), kBatches * kBatch / 2.0);
  EXPECT_LE(Sum("cairn_dram_used_bytes"), 64.0 * kMiB);
  const Completion match = engine->Match(Batch(0), kNvmeTimeout);
  EXPECT_EQ(match.blocks, kBatch);
  engine->client().Release(match.lease);
  ExpectNothingHeld();
}

TEST_F(Nvme, APlannedStopKeepsEveryBlockThatWasOnTheDrive) {
  constexpr uint64_t kBatches = 16;
  StartNode({});
  ASSERT_EQ(Put(0, kBatches).ok, kBatches * kBatch);
  const double on_drive = Sum("cairn_nvme_blocks");
  EXPECT_GE(on_drive, kBatches * kBatch / 2.0 - kBatch);
  StopNode();
  RestartNode();
  EXPECT_EQ(Sum("cairn_nvme_recovered_records_total"), on_drive);
  EXPECT_EQ(Sum("cairn_nvme_recovery_dropped_total"), 0);
  EXPECT_THAT(NodeLog(), HasSubstr("segments_scanned=0"));
  ExpectServed(0, kBatches, on_drive);
}

TEST_F(Nvme, ABitTurnedOnTheDriveOfARunningNodeCostsItsBlockAlone) {
  StartNode({});
  Put(0, 20);
  // The first segment is the drive's alone: reads no longer come from the memory it was written of.
  EXPECT_TRUE(Eventually(absl::Seconds(10), [this] {
    return Sum("cairn_nvme_written_bytes_total") > 2.0 * kSegmentBytes;
  }));
  TurnABitOf(Batch(0)[3]);
  ExpectOnlyLost(Batch(0)[3]);
}

TEST_F(Nvme, ABitTurnedOnTheDriveOfAStoppedNodeCostsItsBlockAlone) {
  StartNode({});
  Put(0, 12);
  StopNode();
  TurnABitOf(Batch(0)[3]);
  RestartNode();
  ExpectOnlyLost(Batch(0)[3]);
}

TEST_F(Nvme, UnderAKeyNothingReadableIsOnTheDriveAndAnotherKeyMisses) {
  const std::string key_file = drive.File("key");
  const auto write_key = [&key_file](char digit) {
    return RealDisk().WriteFileAtomically(key_file, std::string(64, digit) + "\n", 0600).ok();
  };
  ASSERT_TRUE(write_key('7'));
  StartNode({.more = {"--nvme-key-file", key_file}});
  Put(0, 12);
  StopNode();
  for (const BlockKey& key : {Batch(0)[0], Batch(1)[7]}) EXPECT_EQ(Find(key), -1);
  RestartNode();
  ExpectServed(0, 2, 2.0 * kBatch);
  StopNode();

  ASSERT_TRUE(write_key('8'));
  RestartNode();
  ExpectUnreadable();
}

TEST_F(Nvme, WithoutItsKeyNothingOfAnEncryptedDriveIsServed) {
  const std::string key_file = drive.File("key");
  ASSERT_TRUE(RealDisk().WriteFileAtomically(key_file, std::string(64, '7') + "\n", 0600).ok());
  ASSERT_EQ(setenv(kKeyVariable, key_file.c_str(), 1), 0);
  StartNode({});
  Put(0, 12);
  StopNode();
  unsetenv(kKeyVariable);
  RestartNode();
  ExpectUnreadable();
}

TEST_F(Nvme, ABitTurnedInAFooterCostsAScanOfItsSegmentAndNoBlock) {
  constexpr uint64_t kBatches = 16;
  StartNode({});
  Put(0, kBatches);
  const double on_drive = Sum("cairn_nvme_blocks");
  StopNode();
  constexpr off_t kFooter = log_format::kFirstSegmentOffset + kSegmentBytes - log_format::kSector;
  log_format::Footer footer;
  ReadLog(kFooter, footer);
  ASSERT_EQ(footer.magic, log_format::kFooterMagic);
  footer.count = footer.count ^ 1;
  WriteLog(kFooter, footer);
  RestartNode();
  EXPECT_THAT(NodeLog(), HasSubstr("segments_scanned=1 footers_damaged=1"));
  EXPECT_EQ(Sum("cairn_nvme_recovered_records_total"), on_drive);
  ExpectServed(0, kBatches, on_drive);
}

class NvmeOfAnother : public Nvme {
 protected:
  struct Ending {
    int code = 0;
    std::string output;
  };
  // A node that must end by itself.
  Ending RunNode(const std::string& coordinator, const std::string& state_folder) {
    const std::string log = drive.File("output");
    auto child = ChildProcess::Start(
        {.arguments = {CAIRN_PROGRAM, "node", "--coordinators", coordinator, "--state-folder",
                       state_folder, "--dram-bytes", "64MiB", "--nvme", drive.path(),
                       "--nvme-bytes", "256MiB", "--nvme-segment-bytes", "32MiB"},
         .log_path = log});
    EXPECT_TRUE(child.ok());
    EXPECT_TRUE(Eventually(absl::Seconds(30), [&child] { return !child->running(); }));
    const int code = child->Stop();
    return {code, RealDisk().ReadFile(log).value_or("")};
  }
  // The second word of its identity file.
  static std::string NodeIdIn(const std::string& state_folder) {
    const std::string text = RealDisk().ReadFile(state_folder + "/identity").value_or("");
    return text.substr(text.find(' ') + 1, 32);
  }
};

TEST_F(NvmeOfAnother, ADriveOfAnotherNodeIsRefusedByName) {
  StartNode({});
  StopNode();
  const Ending ending = RunNode(cluster->coordinator(), drive.File("stranger"));
  EXPECT_NE(ending.code, 0);
  EXPECT_LT(ending.code, 128);
  EXPECT_THAT(ending.output, AllOf(HasSubstr(NodeIdIn(cluster->state_folder("node0"))),
                                   HasSubstr(NodeIdIn(drive.File("stranger"))),
                                   HasSubstr("give each node its own drive")));
  RestartNode();  // unharmed
}

TEST_F(NvmeOfAnother, ADriveOfAnotherClusterIsRefusedByName) {
  StartNode({});
  EXPECT_TRUE(Eventually(absl::Seconds(10), [this] {
    return ReadSuperblock(0).cluster != ClusterId{} || ReadSuperblock(1).cluster != ClusterId{};
  }));
  StopNode();
  LocalClusterOptions options;
  options.nodes = 0;
  options.program = CAIRN_PROGRAM;
  const auto other = LocalCluster::Start(options, *network);
  ASSERT_TRUE(other.ok()) << other.status();
  const Ending ending = RunNode((*other)->coordinator(), cluster->state_folder("node0"));
  EXPECT_NE(ending.code, 0);
  EXPECT_LT(ending.code, 128);
  EXPECT_THAT(ending.output, ::testing::ContainsRegex("cluster [0-9a-f]+.* cluster [0-9a-f]+"));
  EXPECT_THAT(ending.output, HasSubstr("point the node at its own coordinator"));
  RestartNode();  // unharmed
}

TEST_F(NvmeOfAnother, ADriveOfANewerFormatIsRefusedByName) {
  StartNode({});
  StopNode();
  std::array<std::byte, log_format::kSector> sector{};
  log_format::Superblock superblock = ReadSuperblock(0);
  superblock.version = log_format::kVersion + 1;
  superblock.checksum = Checksum{};
  std::memcpy(sector.data(), &superblock, sizeof(superblock));
  superblock.checksum = SectorSum(sector);
  std::memcpy(sector.data(), &superblock, sizeof(superblock));
  WriteLog(0, sector);
  const Ending ending = RunNode(cluster->coordinator(), cluster->state_folder("node0"));
  EXPECT_NE(ending.code, 0);
  EXPECT_LT(ending.code, 128);
  EXPECT_THAT(ending.output, AllOf(HasSubstr("format version 2 is newer than this build's 1"),
                                   HasSubstr("start the newer build")));
}

TEST_F(NvmeOfAnother, ADriveInUseIsRefused) {
  StartNode({});
  const Ending ending = RunNode(cluster->coordinator(), drive.File("stranger"));
  EXPECT_NE(ending.code, 0);
  EXPECT_THAT(ending.output, HasSubstr("give each node a device of its own"));
}

}  // namespace
}  // namespace cairn::process
