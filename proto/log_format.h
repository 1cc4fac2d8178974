// What the NVMe tier puts on a drive. Layouts and rules: FORMAT.md, "Log". Golden logs:
// tests/data/logs/.
//
// A log is a part of a device: superblocks, then segments of one size. A segment is written once
// from front to back, as groups (a sector of record entries, then the records' payloads), and ends
// in a footer that repeats all entries. Nothing is believed for its place alone: every sector of
// metadata names its log, segment and generation and carries a checksum.
#ifndef CAIRN_PROTO_LOG_FORMAT_H_
#define CAIRN_PROTO_LOG_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "proto/identity.h"
#include "proto/little_endian.h"

namespace cairn::log_format {

inline constexpr uint16_t kVersion = 1;
inline constexpr uint64_t kSector = 4096;
inline constexpr uint64_t kSuperblocks = 2;                // sectors 0 and 1 of the log
inline constexpr uint64_t kFirstSegmentOffset = 1u << 20;  // within the log
inline constexpr uint64_t kSegmentBytesMin = 1u << 20;
inline constexpr uint64_t kSegmentBytesMax = 64u << 20;  // one transfer
inline constexpr uint32_t kSegmentsMax = 1u << 20;

using LogId = Id128<struct LogIdTag>;  // random, made when a log is made

// Every sector of metadata ends its checksum's coverage at the sector: XXH3-128 of all 4096 bytes
// with the checksum's own 16 as zeros.
struct Superblock {
  U64Le magic;  // kSuperblockMagic
  U16Le version;
  U16Le partition;   // which log of its device, from 0
  U16Le partitions;  // how many logs share the device
  U16Le reserved;
  U64Le sequence;     // of two valid copies the greater one counts
  ClusterId cluster;  // zero until the node has heard of it
  NodeId node;
  LogId log;
  U64Le incarnation;  // of the node, when it was written
  U64Le log_offset;   // on the device
  U64Le segment_bytes;
  U32Le segments;
  U32Le reserved_too;
  Checksum checksum;
};
static_assert(sizeof(Superblock) == 120);
inline constexpr uint64_t kSuperblockMagic = 0x474f4c4e52494143;  // "CAIRNLOG"

inline constexpr uint16_t kCipherNone = 0;
inline constexpr uint16_t kCipherAes256Gcm = 1;
inline constexpr uint64_t kCipherTagBytes = 16;  // follows the payload

// One record: who it is and where its payload lies.
struct Entry {
  BlockKey key;
  NamespaceId ns;
  Checksum checksum;  // of the payload in the clear
  BlockKey parent;    // of the block before it in its run; zero where a run begins
  U32Le tenant;
  U32Le length;    // of the payload in the clear
  U32Le position;  // in its chain
  U32Le sector;    // of the payload's first byte, from the segment's start
  U16Le cipher;
  U16Le hints;
  U32Le reserved;
  U64Le reserved_too;

  uint64_t stored_bytes() const { return length + (cipher == kCipherNone ? 0 : kCipherTagBytes); }
  uint64_t sectors() const { return (stored_bytes() + kSector - 1) / kSector; }
};
static_assert(sizeof(Entry) == 96);

// Every rule of an entry but the one about where its payload lies. kDataLoss names the field.
absl::Status CheckIdentity(const Entry& entry);

struct GroupHeader {
  U32Le magic;  // kGroupMagic
  U16Le version;
  U16Le count;  // of entries, 1 to kGroupEntriesMax
  LogId log;
  U64Le generation;  // of the segment: greater than any before it in this log
  U32Le segment;
  U32Le sector;   // of this header, from the segment's start
  U32Le sectors;  // of the whole group, this one included
  U32Le reserved;
  Checksum checksum;
};
static_assert(sizeof(GroupHeader) == 64);
inline constexpr uint32_t kGroupMagic = 0x50555247;  // "GRUP"
inline constexpr size_t kGroupEntriesMax = (kSector - sizeof(GroupHeader)) / sizeof(Entry);
static_assert(kGroupEntriesMax == 42);

struct Group {
  GroupHeader header;
  std::array<Entry, kGroupEntriesMax> entries;
};
static_assert(sizeof(Group) == kSector);

// The last sector of a sealed segment; its entries fill the sectors before it.
struct Footer {
  U32Le magic;  // kFooterMagic
  U16Le version;
  U16Le reserved;
  LogId log;
  U64Le generation;
  U32Le segment;
  U32Le count;         // of entries
  U32Le entry_sector;  // where they begin, from the segment's start
  U32Le reserved_too;
  Checksum entries_checksum;  // XXH3-128 of the count * 96 bytes
  Checksum checksum;
};
static_assert(sizeof(Footer) == 80);
inline constexpr uint32_t kFooterMagic = 0x544f4f46;  // "FOOT"

constexpr uint64_t FooterSectors(uint64_t entries) {
  return 1 + (entries * sizeof(Entry) + kSector - 1) / kSector;
}

// Which segment a sector must be of.
struct SegmentName {
  LogId log;
  uint64_t segment_bytes = 0;
  uint64_t generation = 0;  // 0: any
  uint32_t segment = 0;
};

// Each writes a whole sector. Fields that the functions own (magic, version, checksum, zeros) are
// filled in. An entry that a decoder would refuse is the caller's bug.
void EncodeSuperblock(Superblock superblock, absl::Span<std::byte> sector);
// entries: header.count of them.
void EncodeGroup(GroupHeader header, absl::Span<const Entry> entries, absl::Span<std::byte> sector);
void EncodeFooter(Footer footer, absl::Span<const Entry> entries, absl::Span<std::byte> sector);
// The last FooterSectors(entries.size()) sectors of the segment: entries, zeros, footer.
void EncodeFooterSectors(const SegmentName& name, absl::Span<const Entry> entries,
                         absl::Span<std::byte> sectors);

// kNotFound: zeros, nothing was ever here. kDataLoss: damaged, or something else.
// kFailedPrecondition: of a newer format; the message names both versions.
absl::StatusOr<Superblock> DecodeSuperblock(absl::Span<const std::byte> sector);
// kNotFound: not a group, or of another life of the segment. kDataLoss: damaged. Checks each entry:
// lengths, positions, and that payloads follow one another inside the group.
absl::StatusOr<const Group*> DecodeGroup(absl::Span<const std::byte> sector,
                                         const SegmentName& name, uint32_t at_sector);
absl::StatusOr<const Footer*> DecodeFooter(absl::Span<const std::byte> sector,
                                           const SegmentName& name);
// bytes: from the footer's entry_sector on, at least count entries. kDataLoss: damaged, or an entry
// whose payload does not lie before that sector.
absl::StatusOr<absl::Span<const Entry>> DecodeFooterEntries(absl::Span<const std::byte> bytes,
                                                            const Footer& footer,
                                                            const SegmentName& name);

}  // namespace cairn::log_format

#endif  // CAIRN_PROTO_LOG_FORMAT_H_
