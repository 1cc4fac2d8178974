// A segment's footer and its entries, as any bytes and with right checksums: what is accepted are
// records inside the segment, before the footer. Input: the footer's fields, then the entries.

#include <vector>

#include "base/check.h"
#include "proto/log_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/log_sector.h"

namespace cairn {
namespace {

using log_format::Footer;

void CheckAccepted(LogSector& sector, absl::Span<const std::byte> entry_bytes) {
  const Footer& footer = sector.As<Footer>();
  const log_format::SegmentName here{footer.log, log_format::kSegmentBytesMin, 0, footer.segment};
  const auto decoded = log_format::DecodeFooter(sector.bytes, here);
  if (!decoded.ok()) return;
  CAIRN_CHECK(LiesWithin(sector.bytes, *decoded, sizeof(Footer)));
  CAIRN_CHECK(footer.count >= 1 && footer.count < here.segment_bytes / log_format::kSector);
  const auto entries = log_format::DecodeFooterEntries(entry_bytes, **decoded, here);
  if (!entries.ok()) return;
  CAIRN_CHECK(entries->size() == footer.count);
  CAIRN_CHECK(
      LiesWithin(entry_bytes, entries->data(), entries->size() * sizeof(log_format::Entry)));
  for (const log_format::Entry& entry : *entries) CheckReadable(entry, 1, footer.entry_sector);
}

}  // namespace

CAIRN_FUZZ_TARGET(fuzz_log_footer) {
  const size_t head = std::min(input.size(), sizeof(Footer));
  LogSector sector(input.first(head));
  const absl::Span<const std::byte> entries = input.subspan(head);
  CheckAccepted(sector, entries);
  Footer& footer = sector.As<Footer>();
  const uint64_t wanted = uint64_t{footer.count} * sizeof(log_format::Entry);
  if (wanted <= entries.size()) footer.entries_checksum = SumOf(entries.first(wanted));
  sector.Seal<Footer>();
  CheckAccepted(sector, entries);
}

}  // namespace cairn
