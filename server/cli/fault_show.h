// Faults on purpose, one after another, in a local cluster under load: each must be named by the
// coordinator's verdict, and be forgotten once it is over. For `cairn demo --faults`.
#ifndef CAIRN_SERVER_CLI_FAULT_SHOW_H_
#define CAIRN_SERVER_CLI_FAULT_SHOW_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "server/cli/local_cluster.h"
#include "server/cli/termination.h"
#include "transport/network.h"

namespace cairn {

struct ShownFault {
  std::string fault;    // "a node is frozen"
  std::string finding;  // id, as of docs/alerts
  std::string skipped;  // why it was not tried; else empty
  double named_s = -1;  // until the verdict named it; -1: it never did
  double over_s = -1;   // until it was forgotten after its end; -1: it stands, as it should or not
  bool stands = false;  // by intent: it tells of the last hour
  std::string title, evidence, remedy;

  bool good() const { return !skipped.empty() || (named_s >= 0 && (stands || over_s >= 0)); }
};

// A cluster that they can be shown in: little memory, each node's drive a small file system in
// memory where this process may mount one.
LocalClusterOptions FaultClusterOptions(LocalClusterOptions options);

// Runs them all, telling each step on standard error. hold: how long a fault goes on after it was
// named, for those who watch. kCancelled: told to end. kInternal: an engine's byte was wrong.
absl::StatusOr<std::vector<ShownFault>> ShowFaults(LocalCluster& cluster, Network& network,
                                                   absl::Duration hold, Termination& termination);

std::string FaultsText(const std::vector<ShownFault>& faults);
std::string FaultsJson(const std::vector<ShownFault>& faults);

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_FAULT_SHOW_H_
