// Applies the nodes' reports to the index: a snapshot, then deltas numbered without a gap, fenced
// by the incarnation. Not thread-safe: the coordinator's mutex covers it.
#ifndef CAIRN_SERVER_COORDINATOR_INVENTORY_H_
#define CAIRN_SERVER_COORDINATOR_INVENTORY_H_

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "cairn/v1/coordinator.pb.h"
#include "server/coordinator/membership.h"
#include "server/coordinator/prefix_index.h"

namespace cairn {

class Inventory {
 public:
  explicit Inventory(PrefixIndex& index) : index_(index) {}

  // The node (re)started: what it reported is forgotten, a snapshot is wanted.
  void Restart(NodeSlot node);
  // Whether the next report must begin a snapshot.
  bool snapshot_wanted(NodeSlot node) const;
  // Applies one report; true: the node must begin a snapshot. kInvalidArgument names the field;
  // then nothing was applied.
  absl::StatusOr<bool> Apply(NodeSlot node, const v1::ReportRequest& report);

 private:
  struct Progress {
    uint64_t next_sequence = 1;
    bool snapshot_wanted = true;
    bool in_snapshot = false;
  };
  Progress& ProgressOf(NodeSlot node);

  PrefixIndex& index_;
  std::vector<Progress> progress_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_INVENTORY_H_
