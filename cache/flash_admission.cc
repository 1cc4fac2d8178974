// What goes to NVMe of that which leaves DRAM.
#include <algorithm>

#include "cache/flash_drive.h"

namespace cairn {
namespace {

constexpr absl::Duration kFiguresInterval = absl::Milliseconds(100);

ChainAdmission::Block Offered(const FlashBlock& block, uint64_t record_bytes) {
  ChainAdmission::Block offered;
  offered.key = block.key;
  offered.parent = block.parent;
  offered.run_key = block.run_key;
  offered.position = block.position;
  offered.bytes = record_bytes;
  return offered;
}

}  // namespace

void FlashTier::OnStored(const PutIdentity& identity) {
  ChainAdmission::Block stored;
  stored.key = identity.key;
  stored.parent = identity.parent;
  stored.position = identity.position;
  admission_.chains.Stored(stored, identity.hint);
}

// A chain's runs are on all drives: the drive with the least left decides for all.
double FlashTier::AdmittedShare() const {
  double share = 1;
  for (const auto& drive : drives_) share = std::min(share, drive->budget.Share());
  return share;
}

bool FlashTier::WantsRun(const FlashBlock& victim) {
  Drive& drive = DriveOf(victim.run_key);
  const log_format::Entry entry = EntryOf(victim, codec_.cipher() != log_format::kCipherNone);
  if (drive.breaker.open(runtime_.clock.Now()) || !drive.log->CanAppend(entry.stored_bytes())) {
    counters_.refused_blocks.Add(1);
    return false;
  }
  const uint64_t record_bytes = entry.sectors() * kSectorBytes;
  const bool wanted = admission_.chains.Admit(Offered(victim, record_bytes), AdmittedShare());
  drive.budget.Offer(record_bytes);
  admission_.asked = victim.key;
  if (wanted && drive.budget.Allows(record_bytes)) return true;
  counters_.rejected_blocks.Add(1);
  counters_.rejected_bytes.Add(record_bytes);
  return false;
}

bool FlashTier::Take(const FlashBlock& block, absl::Span<const std::byte> bytes,
                     FlashPlace* place) {
  Drive& drive = DriveOf(block.run_key);
  if (!Append(drive, block, bytes, place)) {
    counters_.refused_blocks.Add(1);
    return false;
  }
  const uint64_t record_bytes = EntryOf(block, place->encrypted).sectors() * kSectorBytes;
  counters_.admitted_blocks.Add(1);
  counters_.admitted_bytes.Add(record_bytes);
  if (block.key == admission_.asked) return true;
  // It goes ahead of the one that was asked for.
  admission_.chains.Follow(Offered(block, record_bytes));
  drive.budget.Offer(record_bytes);
  return true;
}

void FlashTier::UpdateBudgets() {
  for (const auto& drive : drives_) {
    drive->budget.DriveWrote(scheduler_.written_bytes(drive->log->geometry().device));
  }
  const Instant now = runtime_.clock.Now();
  if (now < admission_.figures_due) return;
  admission_.figures_due = now + kFiguresInterval;
  uint64_t left_bytes = 0;
  for (const auto& drive : drives_) left_bytes += drive->budget.LeftToday();
  counters_.write_budget_left_bytes.Set(left_bytes);
  counters_.admitted_share_ppm.Set(static_cast<uint64_t>(AdmittedShare() * 1e6));
}

}  // namespace cairn
