// How a stopped node's memory gets to its successor: a small process of its own keeps the memfds
// and passes them over a Unix socket in the node's state folder.
//
// A holder, because a supervisor stops the old process before it starts the new one: between the
// two nobody else would hold the memory. It ends when the successor took it, or after a time.
#ifndef CAIRN_SERVER_CLI_WARM_HANDOVER_H_
#define CAIRN_SERVER_CLI_WARM_HANDOVER_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "cache/shard.h"

namespace cairn {

// Starts a holder (`cairn hold`) and returns when a successor can reach it. kInternal: it did not
// start; the message says how. The holder lives on when this process ends.
absl::Status LeaveWarm(const std::vector<WarmShard>& shards, const std::string& state_folder,
                       absl::Duration hold_for);

// What a predecessor left, in the order of its reactors; empty: nobody holds anything. Never waits
// longer than two seconds.
std::vector<WarmShard> TakeWarm(const std::string& state_folder);

// The holder: takes the shards from `channel`, hands them to the first process of the same user
// that asks, or forgets them after `hold_for`.
absl::Status HoldWarm(int channel, const std::string& state_folder, absl::Duration hold_for);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_WARM_HANDOVER_H_
