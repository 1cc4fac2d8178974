#include "proto/inventory.h"

#include <absl/strings/str_cat.h>

namespace cairn {

absl::StatusOr<absl::Span<const InventoryChange>> DecodeInventory(std::string_view changes) {
  if (changes.size() % sizeof(InventoryChange) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "changes: ", changes.size(), " bytes are no multiple of ", sizeof(InventoryChange)));
  }
  const size_t count = changes.size() / sizeof(InventoryChange);
  if (count > kInventoryChangesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("changes: ", count, " in one report; at most ", kInventoryChangesMax));
  }
  const absl::Span<const InventoryChange> items(
      reinterpret_cast<const InventoryChange*>(changes.data()), count);
  for (const InventoryChange& item : items) {
    if (item.change < kInventoryAdded || item.change > kInventoryOnDrive) {
      return absl::InvalidArgumentError(
          absl::StrCat("changes.change: unknown value ", uint16_t{item.change}));
    }
    if (item.tenant == 0) return absl::InvalidArgumentError("changes.tenant: 0 is no tenant");
  }
  return items;
}

}  // namespace cairn
