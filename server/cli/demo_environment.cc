#include "server/cli/demo_environment.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include <absl/strings/match.h>

namespace cairn {
namespace {

// A variable that is missing here goes unheeded; one that should not be here could hand a demo the
// drive of a real node.
constexpr std::array<std::string_view, 12> kTuning = {
    "CAIRN_DRAIN_TIMEOUT",    "CAIRN_HEARTBEAT_INTERVAL",
    "CAIRN_HUGE_PAGES",       "CAIRN_INDEX_BYTES_MAX",
    "CAIRN_LEASE_MAX",        "CAIRN_LOG_JSON",
    "CAIRN_NODE_TIMEOUT",     "CAIRN_POLICY",
    "CAIRN_REACTORS",         "CAIRN_RECORD_LATENCIES",
    "CAIRN_SESSION_LIFETIME", "CAIRN_UCX_TLS"};

}  // namespace

void ForgetUsersCluster(const Environment& environment) {
  for (const auto& [name, value] : environment) {
    if (!absl::StartsWith(name, "CAIRN_")) continue;
    if (std::find(kTuning.begin(), kTuning.end(), name) == kTuning.end()) unsetenv(name.c_str());
  }
}

}  // namespace cairn
