#include "proto/log_format.h"

#include <xxhash.h>

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "proto/checksum.h"
#include "tests/proto/golden_log.h"

namespace cairn::log_format {
namespace {

using ::testing::HasSubstr;
using Sector = std::array<std::byte, kSector>;

constexpr uint64_t kSegmentBytes = 1u << 20;
constexpr uint32_t kSegmentSectors = kSegmentBytes / kSector;

template <typename Id>
Id IdOf(uint8_t first) {
  Id id;
  id.bytes.fill(static_cast<std::byte>(first));
  return id;
}

SegmentName Name(uint64_t generation = 5) { return {IdOf<LogId>(1), kSegmentBytes, generation, 3}; }

Superblock GoodSuperblock() {
  Superblock superblock;
  superblock.partition = 1;
  superblock.partitions = 2;
  superblock.sequence = 9;
  superblock.cluster = IdOf<ClusterId>(4);
  superblock.node = IdOf<NodeId>(5);
  superblock.log = IdOf<LogId>(1);
  superblock.incarnation = 6;
  superblock.log_offset = 8192;
  superblock.segment_bytes = kSegmentBytes;
  superblock.segments = 7;
  return superblock;
}

// Of `length` bytes at this sector, in the middle of a run.
Entry EntryAt(uint32_t sector, uint32_t length) {
  Entry entry;
  entry.key = IdOf<BlockKey>(static_cast<uint8_t>(sector));
  entry.ns = IdOf<NamespaceId>(2);
  entry.checksum = IdOf<Checksum>(3);
  entry.parent = IdOf<BlockKey>(9);
  entry.tenant = 7;
  entry.position = 33;
  entry.length = length;
  entry.sector = sector;
  return entry;
}

// At sector 10: payloads of 1, 2 and 1 sectors.
const std::vector<Entry>& SampleEntries() {
  static const std::vector<Entry> entries = {EntryAt(11, 100), EntryAt(12, 4097),
                                             EntryAt(14, 4096)};
  return entries;
}

GroupHeader HeaderOf(const std::vector<Entry>& entries) {
  GroupHeader header;
  header.count = static_cast<uint16_t>(entries.size());
  header.log = IdOf<LogId>(1);
  header.generation = 5;
  header.segment = 3;
  header.sector = 10;
  header.sectors = 5;
  return header;
}

Footer FooterOf(const std::vector<Entry>& entries) {
  Footer footer;
  footer.log = IdOf<LogId>(1);
  footer.generation = 5;
  footer.segment = 3;
  footer.count = static_cast<uint32_t>(entries.size());
  footer.entry_sector = static_cast<uint32_t>(kSegmentSectors - FooterSectors(entries.size()));
  return footer;
}

Sector EncodedSuperblock() {
  Sector sector;
  EncodeSuperblock(GoodSuperblock(), absl::MakeSpan(sector));
  return sector;
}
Sector EncodedGroup() {
  Sector sector;
  EncodeGroup(HeaderOf(SampleEntries()), SampleEntries(), absl::MakeSpan(sector));
  return sector;
}
Sector EncodedFooter() {
  Sector sector;
  EncodeFooter(FooterOf(SampleEntries()), SampleEntries(), absl::MakeSpan(sector));
  return sector;
}

// The sector with a field overwritten and its checksum right again: what only a rule refuses.
template <typename Metadata>
Sector With(Sector sector, const std::function<void(Metadata&)>& change) {
  auto* metadata = reinterpret_cast<Metadata*>(sector.data());
  change(*metadata);
  metadata->checksum = Checksum{};
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(sector.data(), sector.size()));
  std::memcpy(metadata->checksum.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return sector;
}

absl::Status Decoded(const Sector& sector) { return DecodeSuperblock(sector).status(); }
absl::Status DecodedGroup(const Sector& sector) { return DecodeGroup(sector, Name(), 10).status(); }
absl::Status DecodedFooter(const Sector& sector) { return DecodeFooter(sector, Name()).status(); }

template <typename Decode>
void ExpectNoFlippedBitIsBelieved(Sector sector, const Decode& decode) {
  ASSERT_EQ(decode(sector), absl::OkStatus());
  for (size_t bit = 0; bit < 8 * kSector; ++bit) {
    sector[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    ASSERT_FALSE(decode(sector).ok()) << "bit " << bit;
    sector[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

TEST(LogFormat, ASuperblockComesBackAsItWas) {
  const Superblock wanted = GoodSuperblock();
  const auto found = DecodeSuperblock(EncodedSuperblock());
  ASSERT_EQ(found.status(), absl::OkStatus());
  EXPECT_EQ(found->version, kVersion);
  EXPECT_EQ(found->partition, wanted.partition);
  EXPECT_EQ(found->partitions, wanted.partitions);
  EXPECT_EQ(found->sequence, wanted.sequence);
  EXPECT_EQ(found->cluster, wanted.cluster);
  EXPECT_EQ(found->node, wanted.node);
  EXPECT_EQ(found->log, wanted.log);
  EXPECT_EQ(found->incarnation, wanted.incarnation);
  EXPECT_EQ(found->log_offset, wanted.log_offset);
  EXPECT_EQ(found->segment_bytes, wanted.segment_bytes);
  EXPECT_EQ(found->segments, wanted.segments);
}

TEST(LogFormat, ZerosWereNeverASuperblockAndAllElseIsDamage) {
  Sector sector{};
  EXPECT_EQ(Decoded(sector).code(), absl::StatusCode::kNotFound);
  // Someone else's drive must not look empty.
  for (const size_t at : {size_t{0}, size_t{1024}, kSector - 1}) {
    sector = {};
    sector[at] = std::byte{1};
    EXPECT_EQ(Decoded(sector).code(), absl::StatusCode::kDataLoss) << at;
  }
}

TEST(LogFormat, ASuperblockOfANewerFormatNamesBothVersionsAndTheRemedy) {
  const auto newer = With<Superblock>(EncodedSuperblock(), [](auto& s) { s.version = 7; });
  const absl::Status status = Decoded(newer);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Std(status.message())),
              HasSubstr("version 7 is newer than this build's 1; start the newer build"));
}

TEST(LogFormat, ASuperblockWithAFieldOutOfRangeIsRefused) {
  const std::function<void(Superblock&)> changes[] = {
      [](auto& s) { s.version = 0; },
      [](auto& s) { s.partitions = 0; },
      [](auto& s) { s.partition = 2; },
      [](auto& s) { s.reserved = 1; },
      [](auto& s) { s.sequence = 0; },
      [](auto& s) { s.log_offset = 1; },
      [](auto& s) { s.segment_bytes = kSegmentBytesMin - kSector; },
      [](auto& s) { s.segment_bytes = kSegmentBytesMax + kSector; },
      [](auto& s) { s.segment_bytes = kSegmentBytesMin + 1; },
      [](auto& s) { s.segments = 0; },
      [](auto& s) { s.segments = kSegmentsMax + 1; },
      [](auto& s) { s.reserved_too = 1; },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    const Sector changed = With<Superblock>(EncodedSuperblock(), changes[i]);
    EXPECT_EQ(Decoded(changed).code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST(LogFormat, NoFlippedBitOfASuperblockIsBelieved) {
  ExpectNoFlippedBitIsBelieved(EncodedSuperblock(), Decoded);
}

TEST(LogFormat, AGroupComesBackAsItWas) {
  const Sector sector = EncodedGroup();
  for (const uint64_t generation : {5, 0}) {  // 0: whichever it is of
    const auto found = DecodeGroup(sector, Name(generation), 10);
    ASSERT_EQ(found.status(), absl::OkStatus());
    EXPECT_EQ((*found)->header.generation, 5u);
    EXPECT_EQ((*found)->header.sectors, 5u);
    ASSERT_EQ((*found)->header.count, SampleEntries().size());
    EXPECT_EQ(std::memcmp((*found)->entries.data(), SampleEntries().data(),
                          SampleEntries().size() * sizeof(Entry)),
              0);
  }
}

TEST(LogFormat, AGroupOfElsewhereIsNotFoundHere) {
  const Sector sector = EncodedGroup();
  SegmentName other_log = Name(), other_segment = Name();
  other_log.log = IdOf<LogId>(2);
  other_segment.segment = 4;
  EXPECT_EQ(DecodeGroup(sector, other_log, 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeGroup(sector, other_segment, 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeGroup(sector, Name(6), 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeGroup(sector, Name(4), 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeGroup(sector, Name(), 11).status().code(), absl::StatusCode::kNotFound);
  const auto newer = With<GroupHeader>(sector, [](auto& h) { h.version = 2; });
  EXPECT_EQ(DecodedGroup(newer).code(), absl::StatusCode::kNotFound);
}

// The group's n-th entry.
Entry& EntryOf(GroupHeader& header, size_t n) {
  return reinterpret_cast<Group*>(&header)->entries[n];
}

TEST(LogFormat, AGroupThatBreaksARuleIsRefused) {
  const std::function<void(GroupHeader&)> changes[] = {
      [](auto& h) { h.count = 0; },
      [](auto& h) { h.count = kGroupEntriesMax + 1; },
      [](auto& h) { h.count = 4; },  // the fourth is zeros
      [](auto& h) { h.reserved = 1; },
      [](auto& h) { h.sectors = 4; },
      [](auto& h) { h.sectors = kSegmentSectors - 10 + 1; },
      [](auto& h) { h.sectors = UINT32_MAX; },
      [](auto& h) { EntryOf(h, 0).sector = 10; },  // the header's
      [](auto& h) { EntryOf(h, 1).sector = 11; },  // the first payload's
      [](auto& h) { EntryOf(h, 2).sector = 15; },  // behind the group
      [](auto& h) { EntryOf(h, 2).sector = UINT32_MAX; },
      [](auto& h) { EntryOf(h, 0).length = 0; },
      [](auto& h) { EntryOf(h, 0).length = kBlockBytesMax + 1; },
      [](auto& h) { EntryOf(h, 2).length = 4097; },
      [](auto& h) { EntryOf(h, 2).cipher = kCipherAes256Gcm; },  // no room for its tag
      [](auto& h) { EntryOf(h, 0).cipher = 2; },
      [](auto& h) { EntryOf(h, 0).position = kChainPositionMax + 2; },
      [](auto& h) { EntryOf(h, 0).position = 32; },        // begins a run, has a parent
      [](auto& h) { EntryOf(h, 0).parent = BlockKey{}; },  // in a run, has none
      [](auto& h) { EntryOf(h, 0).tenant = 0; },
      [](auto& h) { EntryOf(h, 0).reserved = 1; },
      [](auto& h) { EntryOf(h, 0).reserved_too = 1; },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    const Sector changed = With<GroupHeader>(EncodedGroup(), changes[i]);
    EXPECT_EQ(DecodedGroup(changed).code(), absl::StatusCode::kDataLoss) << i;
  }
  const auto no_generation = With<GroupHeader>(EncodedGroup(), [](auto& h) { h.generation = 0; });
  EXPECT_EQ(DecodeGroup(no_generation, Name(0), 10).status().code(), absl::StatusCode::kDataLoss);
}

TEST(LogFormat, WhatARuleAllowsIsAccepted) {
  const std::function<void(GroupHeader&)> changes[] = {
      [](auto& h) { h.sectors = kSegmentSectors - 10; },
      [](auto& h) { EntryOf(h, 1).length = 8192; },
      [](auto& h) { EntryOf(h, 0).cipher = kCipherAes256Gcm; },
      [](auto& h) { EntryOf(h, 0).hints = 3; },
      [](auto& h) { EntryOf(h, 0).position = kChainPositionMax; },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    EXPECT_EQ(DecodedGroup(With<GroupHeader>(EncodedGroup(), changes[i])), absl::OkStatus()) << i;
  }
}

TEST(LogFormat, NoFlippedBitOfAGroupIsBelieved) {
  ExpectNoFlippedBitIsBelieved(EncodedGroup(), DecodedGroup);
}

TEST(LogFormat, AFooterComesBackAsItWas) {
  const Sector sector = EncodedFooter();
  const auto found = DecodeFooter(sector, Name());
  ASSERT_EQ(found.status(), absl::OkStatus());
  EXPECT_EQ((*found)->generation, 5u);
  EXPECT_EQ((*found)->count, SampleEntries().size());
  EXPECT_EQ((*found)->entry_sector, kSegmentSectors - 2);
  const absl::Span<const std::byte> bytes(
      reinterpret_cast<const std::byte*>(SampleEntries().data()),
      SampleEntries().size() * sizeof(Entry));
  const auto entries = DecodeFooterEntries(bytes, **found, Name());
  ASSERT_EQ(entries.status(), absl::OkStatus());
  ASSERT_EQ(entries->size(), SampleEntries().size());
  EXPECT_EQ((*entries)[2].sector, SampleEntries()[2].sector);
}

TEST(LogFormat, AFooterOfElsewhereIsNotFoundHere) {
  const Sector sector = EncodedFooter();
  SegmentName other_log = Name(), other_segment = Name();
  other_log.log = IdOf<LogId>(2);
  other_segment.segment = 4;
  EXPECT_EQ(DecodeFooter(sector, other_log).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeFooter(sector, other_segment).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeFooter(sector, Name(4)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeFooter(sector, Name(0)).status(), absl::OkStatus());
  EXPECT_EQ(DecodeFooter(EncodedGroup(), Name()).status().code(), absl::StatusCode::kNotFound);
}

TEST(LogFormat, AFooterThatBreaksARuleIsRefused) {
  const std::function<void(Footer&)> changes[] = {
      [](auto& f) { f.count = 0; },
      [](auto& f) { f.count = 100; },
      [](auto& f) { f.count = UINT32_MAX; },
      [](auto& f) { f.reserved = 1; },
      [](auto& f) { f.reserved_too = 1; },
      [](auto& f) { f.entry_sector = kSegmentSectors - 1; },
      [](auto& f) { f.entry_sector = kSegmentSectors - 3; },
      // More entries than sectors before them.
      [](auto& f) {
        f.count = 253 * (kSector / sizeof(Entry));
        f.entry_sector = static_cast<uint32_t>(kSegmentSectors - FooterSectors(f.count));
      },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    const Sector changed = With<Footer>(EncodedFooter(), changes[i]);
    EXPECT_EQ(DecodedFooter(changed).code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST(LogFormat, FooterEntriesThatDifferByABitAreRefused) {
  const Sector sector = EncodedFooter();
  const Footer& footer = **DecodeFooter(sector, Name());
  std::vector<Entry> entries = SampleEntries();
  const absl::Span<std::byte> bytes(reinterpret_cast<std::byte*>(entries.data()),
                                    entries.size() * sizeof(Entry));
  EXPECT_TRUE(DecodeFooterEntries(bytes, footer, Name()).ok());
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    ASSERT_FALSE(DecodeFooterEntries(bytes, footer, Name()).ok()) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  EXPECT_FALSE(DecodeFooterEntries(bytes.first(bytes.size() - 1), footer, Name()).ok());
}

TEST(LogFormat, NoFlippedBitOfAFooterIsBelieved) {
  ExpectNoFlippedBitIsBelieved(EncodedFooter(), DecodedFooter);
}

// Two assertions where data crosses a boundary: what a decoder would drop is never written.
TEST(LogFormat, AnEntryThatBreaksARuleIsTheWritersBug) {
  Sector sector;
  std::vector<Entry> entries = SampleEntries();
  entries[1].parent = BlockKey{};
  EXPECT_EQ(CheckIdentity(entries[1]).message(), "parent");
  EXPECT_DEATH(EncodeGroup(HeaderOf(entries), entries, absl::MakeSpan(sector)), "check failed");
  EXPECT_DEATH(EncodeFooter(FooterOf(entries), entries, absl::MakeSpan(sector)), "check failed");
}

class GoldenLogs : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(V1, GoldenLogs, testing::Values("fresh", "fresh_encrypted", "worn"),
                         [](const auto& log) { return std::string(log.param); });

absl::Span<const std::byte> SectorOf(const GoldenLog& log, uint32_t segment, uint64_t sector) {
  const uint64_t at = kFirstSegmentOffset + segment * log.segment_bytes + sector * kSector;
  return absl::MakeConstSpan(log.image).subspan(at, kSector);
}

TEST_P(GoldenLogs, HaveTheirSuperblocks) {
  const GoldenLog log = LoadGoldenLog(GetParam());
  size_t believed = 0;
  for (uint64_t copy = 0; copy < kSuperblocks; ++copy) {
    const auto found =
        DecodeSuperblock(absl::MakeConstSpan(log.image).subspan(copy * kSector, kSector));
    if (!found.ok()) continue;
    ++believed;
    EXPECT_EQ(found->sequence % kSuperblocks, copy);
    EXPECT_EQ(found->node, log.node);
    EXPECT_EQ(found->log, log.log);
    EXPECT_EQ(found->segments, log.segments);
    EXPECT_EQ(found->segment_bytes, log.segment_bytes);
    EXPECT_EQ(found->incarnation, log.incarnation);
  }
  EXPECT_EQ(believed, GetParam() == std::string("worn") ? 1u : 2u);
}

// Decoded sector by sector, the groups name every record of the other implementation's list.
TEST_P(GoldenLogs, HaveEveryRecordInAGroup) {
  const GoldenLog log = LoadGoldenLog(GetParam());
  std::map<std::pair<uint32_t, uint32_t>, Entry> found;
  for (uint32_t segment = 0; segment < log.segments; ++segment) {
    const SegmentName name{log.log, log.segment_bytes, 0, segment};
    for (uint32_t sector = 0; sector < log.segment_bytes / kSector; ++sector) {
      const auto group = DecodeGroup(SectorOf(log, segment, sector), name, sector);
      if (!group.ok()) continue;
      for (size_t i = 0; i < (*group)->header.count; ++i) {
        const Entry& entry = (*group)->entries[i];
        found[{segment, entry.sector}] = entry;
      }
    }
  }
  ASSERT_FALSE(log.records.empty());
  for (const GoldenRecord& record : log.records) {
    ASSERT_TRUE(found.contains({record.segment, record.entry.sector}));
    const Entry& entry = found[{record.segment, record.entry.sector}];
    EXPECT_EQ(std::memcmp(&entry, &record.entry, sizeof(Entry)), 0);
    EXPECT_EQ(MakeChecksum(entry.key, entry.ns, GoldenPayload(entry)), entry.checksum);
  }
}

}  // namespace
}  // namespace cairn::log_format
