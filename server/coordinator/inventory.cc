#include "server/coordinator/inventory.h"

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "proto/inventory.h"

namespace cairn {

Inventory::Progress& Inventory::ProgressOf(NodeSlot node) {
  if (node >= progress_.size()) progress_.resize(node + 1);
  return progress_[node];
}

void Inventory::Restart(NodeSlot node) {
  index_.Forget(node);
  ProgressOf(node) = Progress{};
}

bool Inventory::snapshot_wanted(NodeSlot node) const {
  return node >= progress_.size() || progress_[node].snapshot_wanted;
}

absl::StatusOr<bool> Inventory::Apply(NodeSlot node, const v1::ReportRequest& report) {
  if (!v1::ReportRequest::Kind_IsValid(report.kind())) {
    return absl::InvalidArgumentError(absl::StrCat("kind: unknown value ", report.kind()));
  }
  CAIRN_ASSIGN_OR_RETURN(const absl::Span<const InventoryChange> changes,
                         DecodeInventory(report.changes()));
  Progress& progress = ProgressOf(node);
  const bool begins = report.kind() == v1::ReportRequest::SNAPSHOT_BEGIN;
  // A report that comes twice (its reply was lost) was applied already.
  if (!begins && report.sequence() < progress.next_sequence) return progress.snapshot_wanted;
  const bool in_order = report.sequence() == progress.next_sequence;
  if (!begins && (!in_order || progress.snapshot_wanted)) {
    progress.snapshot_wanted = true;
    progress.in_snapshot = false;
    return true;
  }
  progress.next_sequence = report.sequence() + 1;
  if (begins) {
    index_.BeginSnapshot(node);
    progress.snapshot_wanted = false;
    progress.in_snapshot = true;
  }
  for (const InventoryChange& change : changes) {
    const Place place{node, static_cast<uint8_t>(uint16_t{change.reactor})};
    if (change.change == kInventoryRemoved) {
      index_.Remove(change.tenant, change.key, place);
    } else {
      const Tier tier = change.change == kInventoryAdded ? Tier::kDram : Tier::kNvme;
      index_.Add(change.tenant, change.key, place, tier);
    }
  }
  if (report.kind() == v1::ReportRequest::SNAPSHOT_END && progress.in_snapshot) {
    index_.EndSnapshot(node);
    progress.in_snapshot = false;
  }
  return false;
}

}  // namespace cairn
