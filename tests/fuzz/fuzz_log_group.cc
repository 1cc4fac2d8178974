// A group of a log's records, as any sector and as one with a right checksum, looked for where it
// says that it is: what is accepted are payloads one behind the other inside group and segment.

#include "base/check.h"
#include "proto/log_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/log_sector.h"

namespace cairn {
namespace {

using log_format::GroupHeader;

void CheckAccepted(LogSector& sector) {
  const GroupHeader& header = sector.As<GroupHeader>();
  const log_format::SegmentName here{header.log, log_format::kSegmentBytesMin, 0, header.segment};
  const uint32_t at = header.sector;
  const auto decoded = log_format::DecodeGroup(sector.bytes, here, at);
  if (!decoded.ok()) return;
  CAIRN_CHECK(LiesWithin(sector.bytes, *decoded, log_format::kSector));
  const uint64_t last = uint64_t{at} + header.sectors;
  CAIRN_CHECK(last <= here.segment_bytes / log_format::kSector && header.sectors >= 2);
  CAIRN_CHECK(header.count >= 1 && header.count <= log_format::kGroupEntriesMax);
  uint64_t next = uint64_t{at} + 1;
  for (size_t i = 0; i < header.count; ++i) {
    const log_format::Entry& entry = (*decoded)->entries[i];
    CheckReadable(entry, next, last);
    next = entry.sector + entry.sectors();
  }
  log_format::SegmentName elsewhere = here;
  elsewhere.generation = header.generation > 1 ? header.generation - 1 : 2;  // 0 is any
  CAIRN_CHECK(!log_format::DecodeGroup(sector.bytes, elsewhere, at).ok());
  CAIRN_CHECK(!log_format::DecodeGroup(sector.bytes, here, at + 1).ok());
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_log_group) {
  LogSector sector(input);
  CheckAccepted(sector);
  sector.Seal<GroupHeader>();
  CheckAccepted(sector);
}

}  // namespace cairn
