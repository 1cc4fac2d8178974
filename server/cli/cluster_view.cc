#include "server/cli/cluster_view.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "base/ratio.h"
#include "base/status.h"
#include "server/cli/control_call.h"
#include "server/cli/figures.h"
#include "server/cli/table.h"

namespace cairn {
namespace {

using NodeStatus = v1::GetStatusReply::Node;

constexpr size_t kIdLetters = 12;  // enough to tell nodes apart

std::string Hex(const std::string& bytes) {
  return HexEncode({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

std::string Plural(uint64_t count, const char* word) {
  return absl::StrCat(FormatCount(count), " ", word, count == 1 ? "" : "s");
}

struct Rates {  // per second
  double gets = 0;
  double get_bytes = 0;
  double put_bytes = 0;
};

// nullopt: one look alone, or the node was not there, or as another incarnation.
std::optional<Rates> RatesOf(const NodeStatus& node, const ClusterLooks& looks) {
  const double seconds = absl::ToDoubleSeconds(looks.apart);
  if (seconds <= 0) return std::nullopt;
  const v1::NodeCounters& now = node.counters();
  for (const NodeStatus& other : looks.before.nodes()) {
    if (other.node_id() != node.node_id() || other.incarnation() != node.incarnation()) continue;
    const v1::NodeCounters& then = other.counters();
    const auto rate = [seconds](uint64_t a, uint64_t b) {
      return static_cast<double>(a - b) / seconds;
    };
    return Rates{rate(now.gets(), then.gets()), rate(now.get_bytes(), then.get_bytes()),
                 rate(now.put_bytes(), then.put_bytes())};
  }
  return std::nullopt;
}

std::string StateText(const NodeStatus& node, const Palette& palette) {
  if (node.state() == "ready") return palette.Good(node.state());
  if (node.state() != "lost") return palette.Warning(node.state());
  return palette.Bad(
      absl::StrCat("lost ", FormatAge(absl::Milliseconds(node.last_heartbeat_age_ms()))));
}

bool AnyHasNvme(const v1::GetStatusReply& status) {
  return std::any_of(status.nodes().begin(), status.nodes().end(),
                     [](const NodeStatus& node) { return node.has_nvme(); });
}

// nvme_columns: with the columns of the second tier.
std::vector<std::string> Cells(const NodeStatus& node, const ClusterLooks& looks, bool nvme_columns,
                               const Palette& palette) {
  const v1::NodeCounters& counters = node.counters();
  const v1::NvmeFigures& nvme = node.nvme();
  std::vector<std::string> cells = {Hex(node.node_id()).substr(0, kIdLetters),
                                    StateText(node, palette),
                                    FormatMemory(node.used_bytes() - nvme.used_bytes()),
                                    FormatMemory(node.capacity_bytes() - nvme.capacity_bytes())};
  if (nvme_columns) {
    cells.push_back(node.has_nvme() ? FormatMemory(nvme.used_bytes()) : "-");
    cells.push_back(node.has_nvme() ? FormatMemory(nvme.capacity_bytes()) : "-");
  }
  cells.insert(
      cells.end(),
      {FormatCount(node.block_count()), FormatCount(node.pinned_blocks()),
       counters.gets() == 0 ? "-" : FormatPercent(Ratio(counters.get_hits(), counters.gets()))});
  if (const std::optional<Rates> rates = RatesOf(node, looks)) {
    cells.push_back(FormatCount(static_cast<uint64_t>(rates->gets)));
    cells.push_back(FormatMoved(static_cast<uint64_t>(rates->get_bytes)) + "/s");
    cells.push_back(FormatMoved(static_cast<uint64_t>(rates->put_bytes)) + "/s");
  }
  return cells;
}

std::string NodeTable(const ClusterLooks& looks, const Palette& palette) {
  std::vector<std::string> heading = {"NODE", "STATE", "DRAM", "OF"};
  const bool nvme_columns = AnyHasNvme(looks.now);
  if (nvme_columns) heading.insert(heading.end(), {"NVME", "OF"});
  heading.insert(heading.end(), {"BLOCKS", "PINNED", "HITS"});
  if (looks.apart > absl::ZeroDuration()) {
    heading.insert(heading.end(), {"GETS/S", "OUT", "IN"});
  }
  for (std::string& word : heading) word = palette.Heading(word);
  Table table("ll" + std::string(heading.size() - 2, 'r'));
  table.Add(std::move(heading));
  for (const NodeStatus& node : looks.now.nodes())
    table.Add(Cells(node, looks, nvme_columns, palette));
  return table.ToText();
}

std::string Alarms(const v1::GetStatusReply& status, const Palette& palette) {
  std::string text;
  for (const NodeStatus& node : status.nodes()) {
    const v1::NodeCounters& counters = node.counters();
    const std::string alarm =
        absl::StrCat(palette.Bad("ALARM"), " ", Hex(node.node_id()).substr(0, kIdLetters), ": ");
    if (counters.checksum_failures() + counters.conflicts() > 0) {
      absl::StrAppend(&text, alarm, Plural(counters.checksum_failures(), "checksum failure"), ", ",
                      Plural(counters.conflicts(), "conflict"), "; docs/operators.md says more\n");
    }
    if (node.nvme().drives_failed() > 0) {
      absl::StrAppend(&text, alarm, Plural(node.nvme().drives_failed(), "NVMe log"),
                      " failed, its blocks are out of reach; the node's log says which drive and "
                      "why\n");
    }
  }
  return text;
}

std::string Summary(const v1::GetStatusReply& status, const Palette& palette) {
  return absl::StrCat(
      palette.Heading("cluster "), palette.Accent(Hex(status.cluster_id()).substr(0, kIdLetters)),
      "  up ", FormatAge(absl::Milliseconds(status.uptime_ms())), "  ",
      Plural(status.tenants(), "tenant"), "  ", Plural(status.sessions_opened(), "session"),
      " opened  ", Plural(status.locates(), "lookup"), "  ",
      Plural(status.indexed_blocks(), "block"), " indexed, ",
      FormatPercent(Ratio(status.index_bytes(), status.index_bytes_max())), " full\n");
}

nlohmann::ordered_json NvmeJson(const v1::NvmeFigures& nvme) {
  return {{"capacity_bytes", nvme.capacity_bytes()},
          {"used_bytes", nvme.used_bytes()},
          {"blocks", nvme.blocks()},
          {"hits", nvme.hits()},
          {"read_bytes", nvme.read_bytes()},
          {"written_bytes", nvme.written_bytes()},
          {"errors", nvme.errors()},
          {"drives_failed", nvme.drives_failed()}};
}

nlohmann::ordered_json NodeJson(const NodeStatus& node, const ClusterLooks& looks) {
  const v1::NodeCounters& counters = node.counters();
  nlohmann::ordered_json json = {{"node_id", Hex(node.node_id())},
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
                                 {"gets", counters.gets()},
                                 {"get_hits", counters.get_hits()},
                                 {"get_bytes", counters.get_bytes()},
                                 {"puts", counters.puts()},
                                 {"put_bytes", counters.put_bytes()},
                                 {"evicted_blocks", counters.evicted_blocks()},
                                 {"checksum_failures", counters.checksum_failures()},
                                 {"conflicts", counters.conflicts()},
                                 {"sessions", counters.sessions()}};
  if (node.has_nvme()) json["nvme"] = NvmeJson(node.nvme());
  if (const std::optional<Rates> rates = RatesOf(node, looks)) {
    json["per_second"] = {
        {"gets", rates->gets}, {"get_bytes", rates->get_bytes}, {"put_bytes", rates->put_bytes}};
  }
  return json;
}

}  // namespace

absl::StatusOr<v1::GetStatusReply> FetchClusterStatus(const AdminOptions& options,
                                                      Network& network) {
  v1::GetStatusRequest request;
  CAIRN_ASSIGN_OR_RETURN(*request.mutable_admin_credential(), ReadAdminCredential(options));
  return ControlCall<v1::GetStatusReply>(network, options.coordinator,
                                         "/cairn.v1.Coordinator/GetStatus", request);
}

std::string ClusterJson(const ClusterLooks& looks) {
  const v1::GetStatusReply& status = looks.now;
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
  for (const NodeStatus& node : status.nodes()) json["nodes"].push_back(NodeJson(node, looks));
  return json.dump();
}

std::string ClusterText(const ClusterLooks& looks, const Palette& palette) {
  std::string text = Summary(looks.now, palette);
  if (looks.now.nodes().empty()) {
    return text +
           "no node has joined; start one: cairn node --coordinators ADDRESS --state-folder "
           "FOLDER\n";
  }
  return absl::StrCat(text, "\n", NodeTable(looks, palette), Alarms(looks.now, palette));
}

}  // namespace cairn
