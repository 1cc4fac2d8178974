// Inventory reports: what is accepted is the whole input, and every change in it is known.

#include <string_view>

#include "base/check.h"
#include "proto/inventory.h"
#include "tests/fuzz/fuzz_target.h"

namespace cairn {

CAIRN_FUZZ_TARGET(fuzz_inventory) {
  const auto changes = DecodeInventory({reinterpret_cast<const char*>(input.data()), input.size()});
  if (!changes.ok()) return;
  CAIRN_CHECK(changes->size() * sizeof(InventoryChange) == input.size());
  CAIRN_CHECK(LiesWithin(input, changes->data(), input.size()));
  for (const InventoryChange& change : *changes) {
    CAIRN_CHECK(change.tenant != 0);
    CAIRN_CHECK(change.change >= kInventoryAdded && change.change <= kInventoryOnDrive);
  }
}

}  // namespace cairn
