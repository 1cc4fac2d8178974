// Giving segments back: the oldest goes, what was used since it was written is written again.
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "cache/flash_drive.h"

namespace cairn {
namespace {

using RecordEntry = log_format::Entry;

// With fewer entries left the oldest blocks make room in the index, too.
constexpr uint64_t kEntriesFreeWanted = 4096;

FlashBlock BlockOf(const RecordEntry& entry) {
  FlashBlock block;
  block.tenant = entry.tenant;
  block.ns = entry.ns;
  block.key = entry.key;
  block.parent = entry.parent;
  block.checksum = entry.checksum;
  block.position = entry.position;
  block.length_bytes = entry.length;
  block.hint = ReturnHintOf(entry.hints);
  return block;
}

}  // namespace

bool FlashTier::Drive::Adopt(const RecordEntry& entry, Place at) {
  const auto scope = tier_.shard_.InternScope(entry.tenant, entry.ns);
  const bool adopted =
      scope.ok() && tier_.shard_.Adopt(*scope, BlockOf(entry),
                                       PlaceAt(at, entry.cipher != log_format::kCipherNone));
  if (adopted) tier_.counters_.recovered_records.Add(1);
  return adopted;
}

void FlashTier::Drive::AdoptOrphans() {
  // Heads first; of two copies of one block the later one counts.
  const auto order = [this](const std::pair<RecordEntry, Place>& orphan) {
    return std::tuple(uint32_t{orphan.first.position}, log->GenerationOf(orphan.second.segment),
                      orphan.second.sector);
  };
  std::sort(orphans_.begin(), orphans_.end(),
            [&order](const auto& a, const auto& b) { return order(a) < order(b); });
  uint64_t dropped = 0;
  for (const auto& [entry, at] : orphans_) dropped += Adopt(entry, at) ? 0 : 1;
  orphans_.clear();
  orphans_.shrink_to_fit();
  tier_.counters_.recovery_dropped.Add(dropped);
  if (dropped > 0) {
    Log(LogLevel::kWarning, "records_without_head", {{"path", path_}, {"records", dropped}});
  }
}

void FlashTier::Drive::OnSegmentLost(uint32_t segment, absl::Span<const RecordEntry> entries,
                                     int error_number) {
  Log(LogLevel::kError, "segment_lost",
      {{"path", path_},
       {"segment", segment},
       {"records", entries.size()},
       {"why", FromErrno(error_number, "write").message()}});
  tier_.counters_.drive_errors.Add(1);
  for (const RecordEntry& entry : entries) {
    const FlashPlace place = PlaceAt({segment, entry.sector}, false);
    const BlockRef block = tier_.shard_.FindAt(entry.tenant, entry.ns, entry.key, place);
    if (block != BlockRef::kNone) tier_.shard_.DropCopy(block);
  }
}

void FlashTier::Reclaim(Drive& drive) {
  if (drive.reclaiming) {
    StartRewrites(drive);
    const bool busy = std::any_of(drive.rewrites.begin(), drive.rewrites.end(),
                                  [](const auto& rewrite) { return rewrite.has_value(); });
    if (!drive.entries_known || busy || !drive.to_rewrite.empty()) return;
    drive.log->Free(drive.reclaimed_segment);
    drive.reclaiming = false;
    return;
  }
  const bool wanted = drive.log->free_segments() < kFreeSegmentsWanted ||
                      shard_.entries_free() < kEntriesFreeWanted;
  if (!wanted || !drive.log->OldestSealed(&drive.reclaimed_segment)) return;
  const absl::Status status = drive.log->ReadEntries(drive.reclaimed_segment);
  if (absl::IsResourceExhausted(status)) return;
  drive.reclaiming = true;
  drive.entries_known = false;
  if (!status.ok()) TakeEntries(drive, drive.reclaimed_segment, status);
}

void FlashTier::TakeEntries(Drive& drive, uint32_t segment,
                            absl::StatusOr<absl::Span<const RecordEntry>> entries) {
  CAIRN_CHECK(drive.reclaiming && segment == drive.reclaimed_segment);
  drive.entries_known = true;
  if (!entries.ok()) return shard_.DropSegment(drive.index(), segment);
  // Half of what a segment holds is kept at most, or giving it back would gain nothing.
  const uint64_t keep_bytes_max = options_.segment_bytes / 2;
  uint64_t kept_bytes = 0;
  for (const RecordEntry& entry : *entries) {
    const FlashPlace place =
        drive.PlaceAt({segment, entry.sector}, entry.cipher != log_format::kCipherNone);
    const BlockRef block = shard_.FindAt(entry.tenant, entry.ns, entry.key, place);
    if (block == BlockRef::kNone) continue;
    const uint64_t bytes = entry.sectors() * kSectorBytes;
    if (shard_.UsedSinceWritten(block) && kept_bytes + bytes <= keep_bytes_max) {
      kept_bytes += bytes;
      drive.to_rewrite.push_back({shard_.Describe(block), place, 0});
    } else {
      counters_.dropped_blocks.Add(1);
      shard_.DropCopy(block);
    }
  }
}

// Heads come first in a segment, and so they do again.
void FlashTier::StartRewrites(Drive& drive) {
  while (!drive.to_rewrite.empty()) {
    const auto slot =
        static_cast<size_t>(std::find(drive.rewrites.begin(), drive.rewrites.end(), std::nullopt) -
                            drive.rewrites.begin());
    if (slot == drive.rewrites.size()) return;
    const std::optional<size_t> staging = TakeStaging();
    if (!staging.has_value()) return;
    Rewrite rewrite = drive.to_rewrite.front();
    rewrite.staging = *staging;
    const uint64_t stored = EntryOf(rewrite.described, rewrite.from.encrypted).stored_bytes();
    const absl::Status status =
        drive.log->Read(rewrite.from.at, staging_[*staging].bytes().first(RoundUpToSector(stored)),
                        kRewriteCookie + slot);
    if (!status.ok()) return free_staging_.push_back(*staging);
    drive.to_rewrite.pop_front();
    drive.rewrites[slot] = rewrite;
  }
}

void FlashTier::EndRewrite(Drive& drive, size_t index, const IoResult& result) {
  const Rewrite rewrite = *std::exchange(drive.rewrites[index], std::nullopt);
  const FlashBlock& block = rewrite.described;
  const absl::Span<std::byte> stored = staging_[rewrite.staging].bytes();
  const BlockRef held = shard_.FindAt(block.tenant, block.ns, block.key, rewrite.from);
  FlashPlace place;
  free_staging_.push_back(rewrite.staging);
  if (held == BlockRef::kNone) return;
  const bool written = result.ok() && Verified(block, rewrite.from, stored) &&
                       Append(drive, block, stored.first(block.length_bytes), &place);
  if (written) {
    shard_.MoveCopy(held, place);
    counters_.rewritten_blocks.Add(1);
  } else {
    counters_.dropped_blocks.Add(1);
    shard_.DropCopy(held);
  }
}

}  // namespace cairn
