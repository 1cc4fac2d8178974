#include "server/cli/cluster_view.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "base/status.h"
#include "server/cli/control_call.h"

namespace cairn {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

std::string Hex(const std::string& bytes) {
  return HexEncode({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

const v1::GetStatusReply::Node* FindNode(const v1::GetStatusReply& status,
                                         const v1::GetStatusReply::Node& wanted) {
  for (const auto& node : status.nodes()) {
    if (node.node_id() == wanted.node_id() && node.incarnation() == wanted.incarnation()) {
      return &node;
    }
  }
  return nullptr;
}

std::string NodeLine(const v1::GetStatusReply::Node& node, const v1::GetStatusReply::Node* before,
                     double seconds) {
  const v1::NodeCounters& now = node.counters();
  std::string line =
      absl::StrFormat("%-12s %-9s %7.2f of %7.2f GiB %9d blocks %7d pinned  hits %5.1f %%",
                      Hex(node.node_id()).substr(0, 12), node.state(),
                      static_cast<double>(node.used_bytes()) / kGiB,
                      static_cast<double>(node.capacity_bytes()) / kGiB, node.block_count(),
                      node.pinned_blocks(), Percent(now.get_hits(), now.gets()));
  if (seconds > 0 && before != nullptr) {
    const v1::NodeCounters& then = before->counters();
    absl::StrAppendFormat(&line, "  %8.0f gets/s %7.2f GB/s out %7.2f GB/s in",
                          static_cast<double>(now.gets() - then.gets()) / seconds,
                          static_cast<double>(now.get_bytes() - then.get_bytes()) / seconds / 1e9,
                          static_cast<double>(now.put_bytes() - then.put_bytes()) / seconds / 1e9);
  }
  if (now.checksum_failures() + now.conflicts() > 0) {
    absl::StrAppendFormat(&line, "  ALARM checksum %d conflict %d", now.checksum_failures(),
                          now.conflicts());
  }
  return line;
}

}  // namespace

absl::StatusOr<v1::GetStatusReply> FetchClusterStatus(const AdminOptions& options,
                                                      Network& network) {
  v1::GetStatusRequest request;
  CAIRN_ASSIGN_OR_RETURN(*request.mutable_admin_credential(), ReadAdminCredential(options));
  return ControlCall<v1::GetStatusReply>(network, options.coordinator,
                                         "/cairn.v1.Coordinator/GetStatus", request);
}

std::string ClusterStatusJson(const v1::GetStatusReply& status) {
  nlohmann::ordered_json json;
  json["cluster_id"] = Hex(status.cluster_id());
  json["uptime_ms"] = status.uptime_ms();
  json["indexed_blocks"] = status.indexed_blocks();
  json["index_bytes"] = status.index_bytes();
  json["index_bytes_max"] = status.index_bytes_max();
  json["tenants"] = status.tenants();
  json["sessions_opened"] = status.sessions_opened();
  json["locates"] = status.locates();
  json["nodes"] = nlohmann::ordered_json::array();
  for (const auto& node : status.nodes()) {
    json["nodes"].push_back({{"node_id", Hex(node.node_id())},
                             {"incarnation", node.incarnation()},
                             {"state", node.state()},
                             {"version", node.version()},
                             {"http_address", node.http_address()},
                             {"capacity_bytes", node.capacity_bytes()},
                             {"used_bytes", node.used_bytes()},
                             {"blocks", node.block_count()},
                             {"pinned_blocks", node.pinned_blocks()},
                             {"indexed_blocks", node.indexed_blocks()},
                             {"last_heartbeat_age_ms", node.last_heartbeat_age_ms()},
                             {"gets", node.counters().gets()},
                             {"get_hits", node.counters().get_hits()},
                             {"get_bytes", node.counters().get_bytes()},
                             {"puts", node.counters().puts()},
                             {"put_bytes", node.counters().put_bytes()},
                             {"evicted_blocks", node.counters().evicted_blocks()},
                             {"checksum_failures", node.counters().checksum_failures()},
                             {"conflicts", node.counters().conflicts()},
                             {"sessions", node.counters().sessions()}});
  }
  return json.dump();
}

std::string ClusterStatusText(const v1::GetStatusReply& status, const v1::GetStatusReply& before,
                              double seconds) {
  std::string text = absl::StrFormat(
      "cluster %s  up %d s  %d tenants  %d sessions  %d locates  index %d blocks, %.1f %% full\n",
      Hex(status.cluster_id()).substr(0, 12), status.uptime_ms() / 1000, status.tenants(),
      status.sessions_opened(), status.locates(), status.indexed_blocks(),
      Percent(status.index_bytes(), status.index_bytes_max()));
  for (const auto& node : status.nodes()) {
    absl::StrAppend(&text, NodeLine(node, FindNode(before, node), seconds), "\n");
  }
  if (status.nodes().empty()) {
    absl::StrAppend(&text,
                    "no node has joined; start one: cairn node --coordinators ADDRESS "
                    "--state-folder FOLDER\n");
  }
  return text;
}

}  // namespace cairn
