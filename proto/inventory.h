// What a node tells coordinators about its blocks: one fixed record per change. FORMAT.md,
// "Inventory change".
#ifndef CAIRN_PROTO_INVENTORY_H_
#define CAIRN_PROTO_INVENTORY_H_

#include <string_view>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "proto/identity.h"
#include "proto/little_endian.h"

namespace cairn {

inline constexpr uint16_t kInventoryAdded = 1;    // in memory: sealed and visible, or back there
inline constexpr uint16_t kInventoryRemoved = 2;  // evicted or quarantined
inline constexpr uint16_t kInventoryOnDrive = 3;  // held on a drive alone

struct InventoryChange {
  BlockKey key;
  U32Le tenant;
  U16Le reactor;
  U16Le change;  // kInventoryAdded, kInventoryRemoved or kInventoryOnDrive
};
static_assert(sizeof(InventoryChange) == 24);

inline constexpr size_t kInventoryChangesMax = 65536;  // per report

// kInvalidArgument: not a multiple of 24 bytes, too many, an unknown change, tenant 0.
absl::StatusOr<absl::Span<const InventoryChange>> DecodeInventory(std::string_view changes);

}  // namespace cairn

#endif  // CAIRN_PROTO_INVENTORY_H_
