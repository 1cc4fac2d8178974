#include "cache/disk/log_superblock.h"

#include <xxhash.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hex.h"
#include "base/status.h"
#include "tests/cache/disk/disk_log_fixture.h"

namespace cairn {
namespace {

using log_format::Superblock;
using ::testing::HasSubstr;

constexpr uint32_t kAlways = 1'000'000;  // ppm

Checksum SectorSum(absl::Span<const std::byte> sector) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(sector.data(), sector.size()));
  Checksum checksum;
  std::memcpy(checksum.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return checksum;
}

class LogSuperblockTest : public DiskLogTest {
 protected:
  absl::StatusOr<Superblock> SuperblockOf(uint64_t copy) {
    std::array<std::byte, kSectorBytes> sector;
    rig_.drive().Read(rig_.log_options().offset_bytes + copy * kSectorBytes,
                      absl::MakeSpan(sector));
    return log_format::DecodeSuperblock(sector);
  }
  void ExpectRefused(absl::StatusCode code, const std::vector<std::string>& words) {
    const SimDevice before = rig_.drive();
    EXPECT_FALSE(rig_.Start());
    EXPECT_EQ(rig_.log().failure().code(), code);
    for (const std::string& word : words) {
      EXPECT_THAT(std::string(Std(rig_.log().failure().message())), HasSubstr(word));
    }
    EXPECT_FALSE(rig_.log().CanAppend(1));
    rig_.RunFor(absl::Minutes(2));
    // Not a byte was written.
    std::vector<std::byte> now(rig_.drive().size_bytes()), then(now.size());
    rig_.drive().Read(0, absl::MakeSpan(now));
    before.Read(0, absl::MakeSpan(then));
    EXPECT_TRUE(now == then);
  }
};

TEST_F(LogSuperblockTest, ALogIsMadeWithTwoSuperblocksAndEachLifeWritesOne) {
  ASSERT_TRUE(rig_.Start());
  ASSERT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(1); }));
  ASSERT_TRUE(SuperblockOf(0).ok() && SuperblockOf(1).ok());
  EXPECT_EQ(SuperblockOf(0)->sequence, 2u);
  EXPECT_EQ(SuperblockOf(1)->sequence, 1u);
  EXPECT_EQ(SuperblockOf(0)->log, rig_.log().geometry().log);
  for (uint64_t life = 2; life < 6; ++life) {
    rig_.Restart();
    ASSERT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(1); }));
    EXPECT_EQ(SuperblockOf((life + 1) % 2)->sequence, life + 1);
    EXPECT_EQ(SuperblockOf((life + 1) % 2)->incarnation, life);
    EXPECT_EQ(SuperblockOf(life % 2)->sequence, life);
  }
}

TEST_F(LogSuperblockTest, NoSegmentIsBegunBeforeItsLogCanBeFoundAgain) {
  rig_.drive().faults().flush_error_ppm = kAlways;
  ASSERT_TRUE(rig_.Start());
  rig_.RunFor(absl::Milliseconds(500));
  EXPECT_FALSE(rig_.log().CanAppend(1));
  EXPECT_EQ(rig_.log().counters().superblock_errors, 1u);
  rig_.drive().faults().flush_error_ppm = 0;
  EXPECT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(1); }));
  rig_.CutPower();
  ASSERT_TRUE(SuperblockOf(0).ok() && SuperblockOf(1).ok());
}

TEST_F(LogSuperblockTest, AnothersFailedFlushIsNotSurvivedByBelievingOurs) {
  class Other final : public IoClient {
   public:
    explicit Other(SimDevice& drive) : drive_(drive) {}
    void OnIoEnd(uint64_t, const IoResult& result) override {
      EXPECT_EQ(result.error_number, EIO);
      drive_.faults().flush_error_ppm = 0;  // ours succeeds
    }

   private:
    SimDevice& drive_;
  };
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    LogRig rig({.seed = seed});
    ASSERT_TRUE(rig.Start());
    rig.Step();  // the superblock is being written
    rig.drive().faults().flush_error_ppm = kAlways;
    Other other(rig.drive());
    ASSERT_TRUE(rig.io().Flush(rig.log_options().device, other, 0).ok());
    ASSERT_TRUE(rig.RunUntil([&] { return rig.log().CanAppend(1); }));
    rig.CutPower();
    for (uint64_t copy = 0; copy < 2; ++copy) {
      std::array<std::byte, kSectorBytes> sector;
      rig.drive().Read(copy * kSectorBytes, absl::MakeSpan(sector));
      ASSERT_TRUE(log_format::DecodeSuperblock(sector).ok()) << seed;
    }
  }
}

TEST_F(LogSuperblockTest, EitherSuperblockIsEnough) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 20);
  rig_.Seal();
  rig_.Kill();
  const SimDevice whole = rig_.drive();
  for (uint64_t copy = 0; copy < 2; ++copy) {
    const std::function<void()> misfortunes[] = {
        [&] { rig_.drive().FlipBit(copy * kSectorBytes + 50, 3); },
        [&] { rig_.drive().BreakSector(copy); },
        [&] {
          const std::vector<std::byte> other(kSectorBytes, std::byte{7});
          rig_.drive().Write(copy * kSectorBytes, other);
        },
    };
    for (const auto& misfortune : misfortunes) {
      rig_.drive() = whole;
      misfortune();
      ASSERT_TRUE(rig_.Start());
      ExpectEverythingTold();
      // The next one may have been what was lost: its number is not used again.
      ASSERT_TRUE(rig_.RunUntil([&] { return rig_.log().CanAppend(1); }));
      EXPECT_EQ(SuperblockOf(copy)->sequence, copy == 0 ? 4u : 5u);
      rig_.Kill();
    }
  }
}

TEST_F(LogSuperblockTest, WithoutASuperblockItIsRefusedAndNothingIsTouched) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 20);
  rig_.Seal();
  rig_.Kill();
  rig_.drive().FlipBit(100, 0);
  rig_.drive().FlipBit(kSectorBytes + 100, 0);
  ExpectRefused(absl::StatusCode::kDataLoss,
                {"nvme0: both superblocks are damaged", "remove the file", "zeros"});
}

TEST_F(LogSuperblockTest, SomebodyElsesDriveIsRefused) {
  const std::vector<std::byte> file_system(kSectorBytes, std::byte{0x53});
  rig_.drive().Grow(6 * kMiB);
  rig_.drive().Write(0, file_system);
  ExpectRefused(absl::StatusCode::kDataLoss, {"something else lies there"});
}

TEST_F(LogSuperblockTest, ADriveThatCannotBeReadIsRefusedAndSaysSo) {
  ASSERT_TRUE(rig_.Start());
  rig_.Kill();
  rig_.drive().faults().read_errno = EIO;
  EXPECT_FALSE(rig_.Start());
  EXPECT_THAT(std::string(Std(rig_.log().failure().message())), HasSubstr("is the drive there?"));
}

// Fault 42.
TEST_F(LogSuperblockTest, AnotherNodesLogIsRefusedWithBothNames) {
  ASSERT_TRUE(rig_.Start());
  ClusterId cluster;
  cluster.bytes.fill(std::byte{0xcc});
  rig_.log().SetCluster(cluster);
  rig_.RunFor(absl::Milliseconds(100));
  rig_.Kill();
  const std::string first = HexEncode(rig_.log_options().node.bytes);
  rig_.log_options().node.bytes.fill(std::byte{6});
  const std::string second = HexEncode(rig_.log_options().node.bytes);
  ExpectRefused(absl::StatusCode::kFailedPrecondition,
                {"nvme0: belongs to node " + first, HexEncode(cluster.bytes),
                 "this is node " + second, "its own drive"});
}

TEST_F(LogSuperblockTest, ANewerFormatIsRefusedWithBothVersions) {
  ASSERT_TRUE(rig_.Start());
  rig_.RunFor(absl::Milliseconds(100));
  rig_.Kill();
  std::array<std::byte, kSectorBytes> sector;
  rig_.drive().Read(0, absl::MakeSpan(sector));
  auto* superblock = reinterpret_cast<Superblock*>(sector.data());
  superblock->version = 2;
  superblock->checksum = Checksum{};
  superblock->checksum = SectorSum(sector);
  rig_.drive().Write(0, sector);
  ExpectRefused(absl::StatusCode::kFailedPrecondition,
                {"nvme0: format version 2 is newer than this build's 1", "start the newer build"});
}

TEST_F(LogSuperblockTest, AnotherGeometryIsRefusedWithBoth) {
  ASSERT_TRUE(rig_.Start());
  rig_.RunFor(absl::Milliseconds(100));
  rig_.Kill();
  const LogOptions made = rig_.log_options();
  const std::function<void(LogOptions&)> changes[] = {
      [](LogOptions& options) { options.segment_bytes = kMiB + kSectorBytes; },
      [](LogOptions& options) { options.size_bytes = 5 * kMiB; },
      [](LogOptions& options) { options.partitions = 2; },
  };
  for (const auto& change : changes) {
    rig_.log_options() = made;
    change(rig_.log_options());
    if (rig_.log_options().segment_bytes != kMiB) rig_.log_options().size_bytes += kMiB;
    ExpectRefused(absl::StatusCode::kFailedPrecondition,
                  {"nvme0: was made as log 0 of 1 at 0 with 5 segments of 1048576 bytes",
                   "is now to be log 0 of", "; set nvme_segment_bytes, nvme_bytes and reactors",
                   "remove the file"});
    rig_.Kill();
  }
}

TEST_F(LogSuperblockTest, ADeviceThatGrewHasMoreSegments) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 120);
  rig_.Seal();
  rig_.Kill();
  rig_.log_options().size_bytes += 3 * kMiB;
  ASSERT_TRUE(rig_.Start());
  ExpectEverythingTold();
  EXPECT_EQ(rig_.log().free_segments(), 5u);
  rig_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(std::max(SuperblockOf(0)->segments, SuperblockOf(1)->segments), 8u);
  // For good: the old size is another geometry now.
  rig_.Kill();
  rig_.log_options().size_bytes -= 3 * kMiB;
  EXPECT_FALSE(rig_.Start());
}

TEST_F(LogSuperblockTest, TheClusterIsKept) {
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.log().cluster(), ClusterId{});
  ClusterId cluster;
  cluster.bytes.fill(std::byte{3});
  rig_.log().SetCluster(cluster);
  rig_.log().SetCluster(cluster);
  rig_.RunFor(absl::Milliseconds(100));
  rig_.CutPower();
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.log().cluster(), cluster);
}

TEST_F(LogSuperblockTest, LogsShareADeviceWithoutSeeingEachOther) {
  ASSERT_TRUE(rig_.Start());
  AppendMany(0, 30);
  rig_.Seal();
  rig_.Kill();
  const LogOptions first = rig_.log_options();
  rig_.log_options().offset_bytes = 6 * kMiB;
  ASSERT_TRUE(rig_.Start());
  EXPECT_TRUE(rig_.told.empty());
  rig_.RunFor(absl::Milliseconds(100));
  rig_.Restart();  // for other generations than the first log's: the rig knows records by them
  rig_.Append(1000, 100);
  rig_.Seal();
  rig_.Kill();
  rig_.log_options() = first;
  rig_.log_options().incarnation = 9;
  ASSERT_TRUE(rig_.Start());
  EXPECT_EQ(rig_.told.size(), 30u);
}

// A generation is never used twice, whatever the node's incarnation does: nonces hang on it.
TEST_F(LogSuperblockTest, GenerationsRiseThoughIncarnationsDoNot) {
  uint64_t last = 0;
  for (int life = 0; life < 6; ++life) {
    rig_.log_options().incarnation = 0;
    ASSERT_TRUE(rig_.Start());
    const Place place = rig_.Append(1, 100);
    EXPECT_GT(rig_.log().GenerationOf(place.segment), last);
    last = rig_.log().GenerationOf(place.segment);
    if (life % 2 == 0) rig_.RunFor(absl::Milliseconds(20));  // not on the device yet
    rig_.CutPower();
  }
}

}  // namespace
}  // namespace cairn
