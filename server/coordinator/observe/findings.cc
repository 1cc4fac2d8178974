#include "server/coordinator/observe/findings.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/time/time.h>

#include "server/coordinator/observe/earlier_nodes.h"
#include "server/coordinator/observe/node_name.h"

namespace cairn {
namespace {

constexpr uint64_t kRequestedTokensMin = 10'000;  // less says nothing about hits
constexpr uint64_t kBlocksMin = 1000;
constexpr double kIndexedShareMin = 0.9;
constexpr double kBudgetShareMin = 0.1;

using Node = v1::GetStatusReply::Node;

class Advisor {
 public:
  explicit Advisor(const FindingInputs& inputs)
      : inputs_(inputs), minute_ago_(inputs.minute_ago), hour_ago_(inputs.hour_ago) {}

  std::vector<v1::Finding> Advise() {
    CheckCluster();
    for (const Node& node : inputs_.status.nodes()) CheckNode(node);
    for (const v1::ObjectiveState& state : inputs_.objectives) CheckObjectiveState(state);
    CheckHits();
    CheckTransports();
    std::sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) {
      return std::tuple(Rank(a.severity()), a.id(), a.subject()) <
             std::tuple(Rank(b.severity()), b.id(), b.subject());
    });
    return std::move(found_);
  }

 private:
  static int Rank(const std::string& severity) {
    return severity == "page" ? 0 : severity == "ticket" ? 1 : 2;
  }

  void Add(const char* id, const char* severity, const std::string& subject, std::string title,
           std::string evidence, std::string remedy) {
    v1::Finding& finding = found_.emplace_back();
    finding.set_id(id);
    finding.set_severity(severity);
    finding.set_subject(subject);
    finding.set_title(std::move(title));
    finding.set_evidence(std::move(evidence));
    finding.set_remedy(std::move(remedy));
  }

  void CheckCluster() {
    const bool ready = std::any_of(inputs_.status.nodes().begin(), inputs_.status.nodes().end(),
                                   [](const Node& node) { return node.state() == "ready"; });
    if (ready) return;
    Add("no_nodes", "page", "", "No node serves",
        absl::StrCat(inputs_.status.nodes_size(), " nodes are known, none is ready."),
        "Start a node with this coordinator's address (cairn node --coordinators HOST:PORT), or "
        "see "
        "why the known ones are not ready.");
  }

  void CheckNode(const Node& node) {
    const std::string name = ShortNodeName(node.node_id());
    if (node.state() == "lost") {
      Add("node_lost", "page", name, absl::StrCat("Node ", name, " is lost"),
          absl::StrCat(
              "No heartbeat for ",
              absl::FormatDuration(absl::Milliseconds(node.last_heartbeat_age_ms() / 1000 * 1000)),
              "; it held ", node.block_count(), " blocks.",
              node.http_address().empty()
                  ? std::string()
                  : absl::StrCat(" Its HTTP address was ", node.http_address(), ".")),
          absl::StrCat("See whether its process runs and answers /healthz; a frozen or killed one "
                       "comes back with its NVMe blocks, after a planned restart also with its "
                       "memory. Taken away for good: cairn forget ",
                       name, "."));
      return;
    }
    if (node.state() == "not_ready") {
      Add("node_not_ready", "ticket", name, absl::StrCat("Node ", name, " takes no traffic"),
          "It reports, but says that it is not ready: it starts, drains, or its self-get fails.",
          node.http_address().empty()
              ? "Look at its log."
              : absl::StrCat("Look at http://", node.http_address(), "/readyz and at its log."));
    }
    CheckIndex(node, name);
    CheckDrives(node, name);
    CheckCounters(node, name);
  }

  void CheckIndex(const Node& node, const std::string& name) {
    if (node.state() != "ready" || node.block_count() < kBlocksMin) return;
    const double share =
        static_cast<double>(node.indexed_blocks()) / static_cast<double>(node.block_count());
    if (share >= kIndexedShareMin) return;
    Add("index_stale", "ticket", name, absl::StrCat("Node ", name, " is not wholly in the index"),
        absl::StrFormat(
            "It holds %d blocks, the index knows %d (%.0f %%): the rest cannot be found.",
            node.block_count(), node.indexed_blocks(), 100 * share),
        "Wait for its snapshot (seconds after a start). If it stays, raise index_bytes_max when "
        "the "
        "index is full, or restart the node.");
  }

  void CheckDrives(const Node& node, const std::string& name) {
    if (!node.has_nvme()) return;
    const v1::NvmeFigures& nvme = node.nvme();
    if (nvme.drives_failed() > 0) {
      Add("drive_failed", "ticket", name, absl::StrCat("Node ", name, " serves from memory alone"),
          absl::StrCat(nvme.drives_failed(), " of its drives are not used, ", nvme.errors(),
                       " reads and writes have failed."),
          "Look at the drive (dmesg, smartctl, df); the node tries it again by itself.");
    }
    const uint64_t errors =
        minute_ago_.Growth(node, [](const Node& counted) { return counted.nvme().errors(); });
    if (errors > 0) {
      Add("drive_errors", "ticket", name, absl::StrCat("Drives of node ", name, " fail"),
          absl::StrCat(errors,
                       " reads and writes failed in the last minute. Memory serves; what leaves it "
                       "is not written."),
          "A full file system is the usual reason: df. Else dmesg and smartctl. It goes on by "
          "itself "
          "when the drive takes writes again.");
    }
    const auto budget = static_cast<double>(nvme.write_budget_bytes());
    if (budget > 0 &&
        static_cast<double>(nvme.write_budget_left_bytes()) < kBudgetShareMin * budget) {
      Add("write_budget", "info", name,
          absl::StrCat("Node ", name, " has nearly used its write budget"),
          absl::StrFormat("%.0f %% of what its drives may write in 24 hours is left.",
                          100 * static_cast<double>(nvme.write_budget_left_bytes()) / budget),
          "The admission adapts by itself. If hits from NVMe fall, raise nvme_dwpd within the "
          "drive's rating.");
    }
  }

  void CheckCounters(const Node& node, const std::string& name) {
    const uint64_t checksums = hour_ago_.Growth(
        node, [](const Node& counted) { return counted.counters().checksum_failures(); });
    const uint64_t conflicts =
        hour_ago_.Growth(node, [](const Node& counted) { return counted.counters().conflicts(); });
    if (checksums > 0) {
      Add("wrong_bytes", "ticket", name, absl::StrCat("Node ", name, " met wrong bytes"),
          absl::StrCat(checksums,
                       " blocks did not fit their checksum in the last hour. They were dropped and "
                       "became misses; no engine was given one."),
          "If it goes on: test the node's memory and drives, and the network's error counters.");
    }
    if (conflicts > 0) {
      Add("conflict", "ticket", name,
          absl::StrCat("Node ", name, " was given two contents of a key"),
          absl::StrCat(conflicts,
                       " puts in the last hour carried other bytes than the block that is held."),
          "Two engines that should not share do: run cairn doctor --engine NAME and compare their "
          "model revision, dtype and layout.");
    }
  }

  void CheckObjectiveState(const v1::ObjectiveState& state) {
    const std::string& name = state.objective().name();
    const std::string bad =
        absl::StrFormat("%d of %d calls were bad, %.4f %% were good, promised are %.4f %%.",
                        state.total() - state.good(), state.total(), 100 * state.attainment(),
                        state.objective().target_ppm() / 1e4);
    for (const v1::BurnRate& burn : state.burns()) {
      if (!burn.firing()) continue;
      Add("budget_burning", burn.severity().c_str(), name,
          absl::StrCat("Objective ", name, " is burning"),
          absl::StrFormat(
              "%.1f times the rate that would just use up the budget, over %s and %s. %s",
              burn.long_rate(), absl::FormatDuration(absl::Seconds(burn.long_window_s())),
              absl::FormatDuration(absl::Seconds(burn.short_window_s())), bad),
          "See on Latency which tier, size and stage is slow, and on Nodes which node.");
      return;
    }
    if (state.verdict() == "exhausted") {
      Add("budget_exhausted", "ticket", name, absl::StrCat("Objective ", name, " is not kept"), bad,
          "Nothing burns now. Put off risky changes until the window has moved on, or set the "
          "objective to what can be kept.");
    }
  }

  void CheckHits() {
    const HitSums& hits = inputs_.hits;
    if (hits.requested_tokens < kRequestedTokensMin || hits.hit_tokens > 0) return;
    if (inputs_.status.indexed_blocks() < kBlocksMin) return;
    std::string worst = "none was told";
    uint64_t most = 0;
    for (const auto& [reason, missed] : hits.misses) {
      if (missed.blocks > most) worst = reason;
      most = std::max(most, missed.blocks);
    }
    Add("zero_hits", "ticket", "", "Nothing is hit although blocks are held",
        absl::StrCat("0 of ", hits.requested_tokens, " tokens in the last ten minutes; ",
                     inputs_.status.indexed_blocks(),
                     " blocks are in the index. Most misses: ", worst, "."),
        "Run cairn doctor --engine NAME: it compares what the engines declare.");
  }

  void CheckTransports() {
    std::set<std::string> seen;
    for (const Node& node : inputs_.status.nodes()) {
      if (node.state() == "ready" && !node.transport().empty()) seen.insert(node.transport());
    }
    if (!seen.contains("rdma") || !seen.contains("tcp")) return;
    for (const Node& node : inputs_.status.nodes()) {
      if (node.state() != "ready" || node.transport() != "tcp") continue;
      Add("tcp_fallback", "ticket", ShortNodeName(node.node_id()),
          absl::StrCat("Node ", ShortNodeName(node.node_id()),
                       " speaks TCP among nodes that speak RDMA"),
          "Other nodes of this cluster use RDMA; this one does not, and is several times slower.",
          "Run cairn doctor on it: device, permissions, memlock.");
    }
  }

  const FindingInputs& inputs_;
  const EarlierNodes minute_ago_;
  const EarlierNodes hour_ago_;
  std::vector<v1::Finding> found_;
};

}  // namespace

absl::Duration HoldOf(const v1::Finding& finding) {
  return finding.id() == "index_stale" ? absl::Minutes(1) : absl::ZeroDuration();
}

std::vector<v1::Finding> Advise(const FindingInputs& inputs) { return Advisor(inputs).Advise(); }

}  // namespace cairn
