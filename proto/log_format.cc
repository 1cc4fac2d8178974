#include "proto/log_format.h"

#include <xxhash.h>

#include <cstring>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"

namespace cairn::log_format {
namespace {

Checksum Sum(absl::Span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Checksum checksum;
  std::memcpy(checksum.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return checksum;
}

// The checksum of a sector whose `checksum` field counts as zeros.
Checksum SumWithout(absl::Span<const std::byte> sector, size_t field_offset) {
  alignas(64) std::array<std::byte, kSector> copy;
  std::memcpy(copy.data(), sector.data(), kSector);
  std::memset(copy.data() + field_offset, 0, sizeof(Checksum));
  return Sum(copy);
}

// Fills a sector with `metadata`, which has its magic, and seals it.
template <typename Metadata>
void Seal(const Metadata& metadata, absl::Span<std::byte> sector) {
  auto* written = reinterpret_cast<Metadata*>(sector.data());
  *written = metadata;
  written->checksum = Checksum{};
  written->checksum = Sum(sector);
}

template <typename Metadata>
const Metadata* View(absl::Span<const std::byte> sector) {
  CAIRN_CHECK(sector.size() >= kSector);
  return reinterpret_cast<const Metadata*>(sector.data());
}

template <typename Metadata>
absl::Status CheckSeal(absl::Span<const std::byte> sector, const char* what) {
  const auto* metadata = View<Metadata>(sector);
  if (SumWithout(sector.first(kSector), offsetof(Metadata, checksum)) == metadata->checksum) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(what, ": checksum differs"));
}

bool Zero(const BlockKey& key) { return key == BlockKey{}; }

// An entry of a segment whose payload may use the sectors [first, last).
absl::Status CheckEntry(const Entry& entry, uint64_t first, uint64_t last) {
  if (entry.length < 1 || entry.length > kBlockBytesMax) return absl::DataLossError("length");
  if (entry.position > kChainPositionMax) return absl::DataLossError("position");
  const bool begins_run = RunStart(entry.position) == entry.position;
  if (Zero(entry.parent) != begins_run) return absl::DataLossError("parent");
  if (entry.tenant == 0) return absl::DataLossError("tenant");
  if (entry.cipher > kCipherAes256Gcm) return absl::DataLossError("cipher");
  if (entry.sector < first || entry.sector + entry.sectors() > last) {
    return absl::DataLossError("sector");
  }
  return absl::OkStatus();
}

template <typename Metadata>
bool IsOf(const Metadata& metadata, const SegmentName& name) {
  return metadata.log == name.log && metadata.segment == name.segment &&
         (name.generation == 0 || metadata.generation == name.generation);
}

}  // namespace

void EncodeSuperblock(Superblock superblock, absl::Span<std::byte> sector) {
  CAIRN_CHECK(sector.size() == kSector);
  std::memset(sector.data(), 0, sector.size());
  superblock.magic = kSuperblockMagic;
  superblock.version = kVersion;
  Seal(superblock, sector);
}

void EncodeGroup(GroupHeader header, absl::Span<const Entry> entries,
                 absl::Span<std::byte> sector) {
  CAIRN_CHECK(sector.size() == kSector && entries.size() == header.count);
  CAIRN_CHECK(!entries.empty() && entries.size() <= kGroupEntriesMax);
  std::memset(sector.data(), 0, sector.size());
  std::memcpy(sector.data() + sizeof(GroupHeader), entries.data(), entries.size() * sizeof(Entry));
  header.magic = kGroupMagic;
  header.version = kVersion;
  Seal(header, sector);
}

void EncodeFooter(Footer footer, absl::Span<const Entry> entries, absl::Span<std::byte> sector) {
  CAIRN_CHECK(sector.size() == kSector && entries.size() == footer.count);
  std::memset(sector.data(), 0, sector.size());
  footer.magic = kFooterMagic;
  footer.version = kVersion;
  footer.entries_checksum =
      Sum({reinterpret_cast<const std::byte*>(entries.data()), entries.size() * sizeof(Entry)});
  Seal(footer, sector);
}

absl::StatusOr<Superblock> DecodeSuperblock(absl::Span<const std::byte> sector) {
  const auto* superblock = View<Superblock>(sector);
  if (superblock->magic != kSuperblockMagic) return absl::NotFoundError("no superblock");
  CAIRN_RETURN_IF_ERROR(CheckSeal<Superblock>(sector, "superblock"));
  if (superblock->version > kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("format version ", uint16_t{superblock->version},
                     " is newer than this build's ", kVersion, "; start the newer build"));
  }
  const bool sane = superblock->version >= 1 && superblock->partitions >= 1 &&
                    superblock->partition < superblock->partitions &&
                    superblock->segment_bytes >= kSegmentBytesMin &&
                    superblock->segment_bytes <= kSegmentBytesMax &&
                    superblock->segment_bytes % kSector == 0 &&
                    superblock->log_offset % kSector == 0 && superblock->segments <= kSegmentsMax;
  if (!sane) return absl::DataLossError("superblock: a field is out of range");
  return *superblock;
}

absl::StatusOr<const Group*> DecodeGroup(absl::Span<const std::byte> sector,
                                         const SegmentName& name, uint32_t at_sector) {
  const auto* group = View<Group>(sector);
  const GroupHeader& header = group->header;
  if (header.magic != kGroupMagic || header.version != kVersion || !IsOf(header, name) ||
      header.sector != at_sector) {
    return absl::NotFoundError("not a group of this segment");
  }
  CAIRN_RETURN_IF_ERROR(CheckSeal<GroupHeader>(sector, "group"));
  const uint64_t last = uint64_t{at_sector} + header.sectors;
  if (header.count < 1 || header.count > kGroupEntriesMax || header.generation == 0 ||
      last > name.segment_bytes / kSector) {
    return absl::DataLossError("group: a field is out of range");
  }
  uint64_t next = uint64_t{at_sector} + 1;
  for (size_t i = 0; i < header.count; ++i) {
    CAIRN_RETURN_IF_ERROR(CheckEntry(group->entries[i], next, last));
    next = group->entries[i].sector + group->entries[i].sectors();
  }
  return group;
}

absl::StatusOr<const Footer*> DecodeFooter(absl::Span<const std::byte> sector,
                                           const SegmentName& name) {
  const auto* footer = View<Footer>(sector);
  if (footer->magic != kFooterMagic || footer->version != kVersion || !IsOf(*footer, name)) {
    return absl::NotFoundError("not a footer of this segment");
  }
  CAIRN_RETURN_IF_ERROR(CheckSeal<Footer>(sector, "footer"));
  const uint64_t sectors = name.segment_bytes / kSector;
  const bool sane = footer->generation != 0 && footer->count >= 1 &&
                    footer->count <= name.segment_bytes / sizeof(Entry) &&
                    footer->entry_sector + FooterSectors(footer->count) == sectors;
  if (!sane) return absl::DataLossError("footer: a field is out of range");
  return footer;
}

absl::StatusOr<absl::Span<const Entry>> DecodeFooterEntries(absl::Span<const std::byte> bytes,
                                                            const Footer& footer,
                                                            const SegmentName& name) {
  const size_t wanted = footer.count * sizeof(Entry);
  if (bytes.size() < wanted) return absl::DataLossError("footer: too short");
  if (Sum(bytes.first(wanted)) != footer.entries_checksum) {
    return absl::DataLossError("footer: the entries' checksum differs");
  }
  CAIRN_CHECK(footer.entry_sector <= name.segment_bytes / kSector);
  const absl::Span<const Entry> entries(reinterpret_cast<const Entry*>(bytes.data()), footer.count);
  for (const Entry& entry : entries) {
    CAIRN_RETURN_IF_ERROR(CheckEntry(entry, 1, footer.entry_sector));
  }
  return entries;
}

}  // namespace cairn::log_format
