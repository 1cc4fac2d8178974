// A log's superblock, as any sector and as one with a right checksum: what is accepted is a
// geometry that can be worked with, and written out again it is the same.

#include "base/check.h"
#include "proto/log_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/log_sector.h"

namespace cairn {
namespace {

using log_format::Superblock;

void CheckAccepted(const LogSector& sector) {
  const auto decoded = log_format::DecodeSuperblock(sector.bytes);
  if (!decoded.ok()) return;
  CAIRN_CHECK(decoded->partition < decoded->partitions && decoded->sequence >= 1);
  CAIRN_CHECK(decoded->segments >= 1 && decoded->segments <= log_format::kSegmentsMax);
  CAIRN_CHECK(decoded->segment_bytes >= log_format::kSegmentBytesMin);
  CAIRN_CHECK(decoded->segment_bytes <= log_format::kSegmentBytesMax);
  CAIRN_CHECK(decoded->segment_bytes % log_format::kSector == 0);
  LogSector again({});
  log_format::EncodeSuperblock(*decoded, absl::MakeSpan(again.bytes));
  CAIRN_CHECK(log_format::DecodeSuperblock(again.bytes).ok());
  CAIRN_CHECK(
      std::memcmp(again.bytes.data(), sector.bytes.data(), offsetof(Superblock, checksum)) == 0);
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_log_superblock) {
  LogSector sector(input);
  CheckAccepted(sector);
  sector.Seal<Superblock>();
  CheckAccepted(sector);
}

}  // namespace cairn
