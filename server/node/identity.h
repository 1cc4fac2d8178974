// Who a node is, kept in its state folder: an id made once and an incarnation that grows at every
// start, so that what was said of an earlier life is never taken for this one's.
#ifndef CAIRN_SERVER_NODE_IDENTITY_H_
#define CAIRN_SERVER_NODE_IDENTITY_H_

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "base/disk.h"
#include "base/random.h"
#include "proto/identity.h"

namespace cairn {

struct NodeIdentity {
  NodeId id;
  uint64_t incarnation = 0;
};

// Reads, increments and writes `folder`/identity ("cairn-node-v1 ID INCARNATION").
// kInvalidArgument: the file is damaged; the message names it and the remedy.
absl::StatusOr<NodeIdentity> BeginIncarnation(const std::string& folder, Disk& disk,
                                              Random& random);

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_IDENTITY_H_
