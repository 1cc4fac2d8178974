#include "proto/log_format.h"

#include <xxhash.h>

#include <algorithm>
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

// An entry of a segment whose payload may use the sectors [first, last).
absl::Status CheckEntry(const Entry& entry, uint64_t first, uint64_t last) {
  CAIRN_RETURN_IF_ERROR(CheckIdentity(entry));
  if (entry.sector < first || entry.sector + entry.sectors() > last) {
    return absl::DataLossError("sector");
  }
  return absl::OkStatus();
}

// Payloads follow one another behind the header.
absl::Status CheckGroupEntries(const GroupHeader& header, absl::Span<const Entry> entries) {
  uint64_t next = uint64_t{header.sector} + 1;
  for (const Entry& entry : entries) {
    CAIRN_RETURN_IF_ERROR(CheckEntry(entry, next, uint64_t{header.sector} + header.sectors));
    next = entry.sector + entry.sectors();
  }
  return absl::OkStatus();
}

absl::Status CheckFooterEntries(const Footer& footer, absl::Span<const Entry> entries) {
  for (const Entry& entry : entries) {
    CAIRN_RETURN_IF_ERROR(CheckEntry(entry, 1, footer.entry_sector));
  }
  return absl::OkStatus();
}

bool IsZero(absl::Span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

template <typename Metadata>
bool IsOf(const Metadata& metadata, const SegmentName& name) {
  return metadata.log == name.log && metadata.segment == name.segment &&
         (name.generation == 0 || metadata.generation == name.generation);
}

}  // namespace

absl::Status CheckIdentity(const Entry& entry) {
  if (entry.length < 1 || entry.length > kBlockBytesMax) return absl::DataLossError("length");
  if (entry.position > kChainPositionMax) return absl::DataLossError("position");
  const bool begins_run = RunStart(entry.position) == entry.position;
  if ((entry.parent == BlockKey{}) != begins_run) return absl::DataLossError("parent");
  if (entry.tenant == 0) return absl::DataLossError("tenant");
  if (entry.cipher > kCipherAes256Gcm) return absl::DataLossError("cipher");
  if (entry.reserved != 0 || entry.reserved_too != 0) return absl::DataLossError("reserved");
  return absl::OkStatus();
}

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
  CAIRN_CHECK(CheckGroupEntries(header, entries).ok());
  std::memset(sector.data(), 0, sector.size());
  std::memcpy(sector.data() + sizeof(GroupHeader), entries.data(), entries.size() * sizeof(Entry));
  header.magic = kGroupMagic;
  header.version = kVersion;
  Seal(header, sector);
}

void EncodeFooter(Footer footer, absl::Span<const Entry> entries, absl::Span<std::byte> sector) {
  CAIRN_CHECK(sector.size() == kSector && !entries.empty() && entries.size() == footer.count);
  CAIRN_CHECK(CheckFooterEntries(footer, entries).ok());
  std::memset(sector.data(), 0, sector.size());
  footer.magic = kFooterMagic;
  footer.version = kVersion;
  footer.entries_checksum =
      Sum({reinterpret_cast<const std::byte*>(entries.data()), entries.size() * sizeof(Entry)});
  Seal(footer, sector);
}

void EncodeFooterSectors(const SegmentName& name, absl::Span<const Entry> entries,
                         absl::Span<std::byte> sectors) {
  CAIRN_CHECK(sectors.size() == FooterSectors(entries.size()) * kSector);
  std::memset(sectors.data(), 0, sectors.size());
  std::memcpy(sectors.data(), entries.data(), entries.size() * sizeof(Entry));
  Footer footer;
  footer.log = name.log;
  footer.generation = name.generation;
  footer.segment = name.segment;
  footer.count = static_cast<uint32_t>(entries.size());
  footer.entry_sector = static_cast<uint32_t>((name.segment_bytes - sectors.size()) / kSector);
  EncodeFooter(footer, entries, sectors.last(kSector));
}

absl::StatusOr<Superblock> DecodeSuperblock(absl::Span<const std::byte> sector) {
  const auto* superblock = View<Superblock>(sector);
  if (superblock->magic != kSuperblockMagic) {
    return IsZero(sector) ? absl::NotFoundError("no superblock")
                          : absl::DataLossError("not a superblock");
  }
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
                    superblock->log_offset % kSector == 0 && superblock->segments >= 1 &&
                    superblock->segments <= kSegmentsMax && superblock->sequence >= 1 &&
                    superblock->reserved == 0 && superblock->reserved_too == 0;
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
      header.reserved != 0 || last > name.segment_bytes / kSector) {
    return absl::DataLossError("group: a field is out of range");
  }
  CAIRN_RETURN_IF_ERROR(
      CheckGroupEntries(header, absl::MakeConstSpan(group->entries).first(header.count)));
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
  // A record has a sector of its own, and so has the first group's header.
  const bool sane = footer->generation != 0 && footer->count >= 1 &&
                    footer->count < footer->entry_sector && footer->reserved == 0 &&
                    footer->reserved_too == 0 &&
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
  CAIRN_RETURN_IF_ERROR(CheckFooterEntries(footer, entries));
  return entries;
}

}  // namespace cairn::log_format
