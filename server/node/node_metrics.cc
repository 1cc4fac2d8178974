#include "server/node/node_metrics.h"

#include <absl/strings/str_cat.h>

#include "base/byte_size.h"
#include "proto/urgency.h"

namespace cairn {
namespace {

struct ShardMetric {
  const char* name;
  const char* type;
  const char* help;
  Counter ShardCounters::* figure;
};

constexpr ShardMetric kShardMetrics[] = {
    {"cairn_dram_capacity_bytes", "gauge", "Memory of the arena.", &ShardCounters::capacity_bytes},
    {"cairn_dram_used_bytes", "gauge", "Payload bytes held.", &ShardCounters::used_bytes},
    {"cairn_blocks", "gauge", "Blocks that can be hit, in any tier.", &ShardCounters::blocks},
    {"cairn_dram_blocks", "gauge", "Blocks in memory.", &ShardCounters::dram_blocks},
    {"cairn_nvme_blocks", "gauge", "Blocks with a copy on NVMe.", &ShardCounters::flash_blocks},
    {"cairn_nvme_used_bytes", "gauge", "Payload bytes on NVMe.", &ShardCounters::flash_bytes},
    {"cairn_nvme_hit_blocks_total", "counter", "Blocks asked for that were only on NVMe.",
     &ShardCounters::flash_hits},
    {"cairn_adopted_blocks_total", "counter", "Blocks taken over from the node's last life.",
     &ShardCounters::adopted_blocks_total},
    {"cairn_demoted_blocks_total", "counter", "Blocks that went from memory to NVMe.",
     &ShardCounters::demoted_blocks_total},
    {"cairn_promoted_blocks_total", "counter", "Blocks that came back from NVMe.",
     &ShardCounters::promoted_blocks_total},
    {"cairn_pins", "gauge", "Pins held by leases and transfers.", &ShardCounters::pins},
    {"cairn_reservations", "gauge", "Blocks being written.", &ShardCounters::reservations},
    {"cairn_sealed_blocks_total", "counter", "Blocks made visible.", &ShardCounters::sealed_total},
    {"cairn_evicted_blocks_total", "counter", "Blocks evicted.",
     &ShardCounters::evicted_blocks_total},
    {"cairn_evicted_bytes_total", "counter", "Bytes evicted.", &ShardCounters::evicted_bytes_total},
    {"cairn_quarantined_blocks_total", "counter", "Blocks dropped for wrong bytes.",
     &ShardCounters::quarantined_total},
    {"cairn_conflicts_total", "counter", "Puts of other bytes under a sealed key.",
     &ShardCounters::conflicts_total},
    {"cairn_no_capacity_total", "counter", "Puts refused because nothing could be evicted.",
     &ShardCounters::no_capacity_total},
};

struct DriveMetric {
  const char* name;
  const char* type;
  const char* help;
  Counter FlashCounters::* figure;
};

constexpr DriveMetric kDriveMetrics[] = {
    {"cairn_nvme_capacity_bytes", "gauge", "Segments of the logs.", &FlashCounters::capacity_bytes},
    {"cairn_nvme_written_bytes_total", "counter",
     "Bytes that the drives were told to write: payload, padding, footers, rewrites.",
     &FlashCounters::written_bytes},
    {"cairn_nvme_read_bytes_total", "counter", "Bytes read from the drives.",
     &FlashCounters::read_bytes},
    {"cairn_nvme_errors_total", "counter", "Reads and writes that a drive failed.",
     &FlashCounters::drive_errors},
    {"cairn_nvme_refused_blocks_total", "counter", "Blocks that the drives had no time for.",
     &FlashCounters::refused_blocks},
    {"cairn_nvme_admitted_blocks_total", "counter", "Blocks that left memory and were written.",
     &FlashCounters::admitted_blocks},
    {"cairn_nvme_admitted_bytes_total", "counter", "Bytes of them, as stored.",
     &FlashCounters::admitted_bytes},
    {"cairn_nvme_rejected_blocks_total", "counter",
     "Blocks that left memory and were not worth the write budget.",
     &FlashCounters::rejected_blocks},
    {"cairn_nvme_rejected_bytes_total", "counter", "Bytes of them, as they would be stored.",
     &FlashCounters::rejected_bytes},
    {"cairn_nvme_write_budget_bytes", "gauge", "What may be written in 24 hours; 0: no limit.",
     &FlashCounters::write_budget_bytes},
    {"cairn_nvme_write_budget_left_bytes", "gauge", "What is left of it for the last 24 hours.",
     &FlashCounters::write_budget_left_bytes},
    {"cairn_nvme_damaged_records_total", "counter", "Records whose bytes were not what was stored.",
     &FlashCounters::damaged_records},
    {"cairn_nvme_recovered_records_total", "counter", "Records found at the start.",
     &FlashCounters::recovered_records},
    {"cairn_nvme_recovery_dropped_total", "counter",
     "Records found at the start whose chain is gone.", &FlashCounters::recovery_dropped},
    {"cairn_nvme_rewritten_blocks_total", "counter", "Blocks kept when their segment went.",
     &FlashCounters::rewritten_blocks},
    {"cairn_nvme_dropped_blocks_total", "counter", "Blocks that went with their segment.",
     &FlashCounters::dropped_blocks},
    {"cairn_nvme_drives_failed", "gauge", "Drives that are not used now.",
     &FlashCounters::drives_failed},
};

struct ReactorMetric {
  const char* name;
  const char* type;
  const char* help;
  Counter ReactorCounters::* figure;
};

constexpr ReactorMetric kReactorMetrics[] = {
    {"cairn_get_blocks_total", "counter", "Blocks asked for.", &ReactorCounters::gets},
    {"cairn_get_hit_blocks_total", "counter", "Blocks delivered.", &ReactorCounters::get_hits},
    {"cairn_get_bytes_total", "counter", "Bytes delivered.", &ReactorCounters::get_bytes},
    {"cairn_put_blocks_total", "counter", "Blocks offered.", &ReactorCounters::puts},
    {"cairn_put_bytes_total", "counter", "Bytes taken.", &ReactorCounters::put_bytes},
    {"cairn_put_checksum_failures_total", "counter", "Puts whose bytes did not fit their checksum.",
     &ReactorCounters::checksum_failures},
    {"cairn_sessions", "gauge", "Open sessions.", &ReactorCounters::sessions},
    {"cairn_endpoints", "gauge", "Open connections.", &ReactorCounters::endpoints},
    {"cairn_leases", "gauge", "Leases held.", &ReactorCounters::leases},
    {"cairn_sends", "gauge", "Blocks queued or on their way.", &ReactorCounters::sends},
    {"cairn_bad_messages_total", "counter", "Messages that were refused.",
     &ReactorCounters::bad_messages},
    {"cairn_refused_hellos_total", "counter", "Sessions refused.",
     &ReactorCounters::refused_hellos},
    {"cairn_watchdog_closes_total", "counter", "Connections closed for stuck transfers.",
     &ReactorCounters::watchdog_closes},
};

void AppendHead(std::string& text, const char* name, const char* type, const char* help) {
  absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

uint64_t Sum(const std::vector<ShardFigures>& shards, Counter ReuseFigures::* figure) {
  uint64_t sum = 0;
  for (const ShardFigures& shard : shards) sum += (shard.reuse->*figure).value();
  return sum;
}

void AppendReuse(std::string& text, const std::vector<ShardFigures>& shards) {
  AppendHead(text, "cairn_reuse_blocks_total", "counter",
             "Blocks used or stored since memory was full; an estimate from a sample.");
  absl::StrAppend(&text, "cairn_reuse_blocks_total ", Sum(shards, &ReuseFigures::references), "\n");
  constexpr char kName[] = "cairn_reuse_hit_blocks_total";
  AppendHead(text, kName, "counter",
             "Of those, how many half, the same and twice the memory would have held under LRU.");
  absl::StrAppend(&text, kName, "{memory=\"half\"} ", Sum(shards, &ReuseFigures::hits_half), "\n",
                  kName, "{memory=\"same\"} ", Sum(shards, &ReuseFigures::hits_same), "\n", kName,
                  "{memory=\"twice\"} ", Sum(shards, &ReuseFigures::hits_twice), "\n");
}

void AppendShare(std::string& text, const std::vector<const FlashCounters*>& drives) {
  if (drives.empty()) return;
  constexpr char kName[] = "cairn_nvme_admitted_share";
  AppendHead(text, kName, "gauge", "Of what leaves memory, the part that fits the write budget.");
  uint64_t sum_ppm = 0;
  for (const FlashCounters* drive : drives) sum_ppm += drive->admitted_share_ppm.value();
  absl::StrAppend(&text, kName, " ",
                  static_cast<double>(sum_ppm) / 1e6 / static_cast<double>(drives.size()), "\n");
}

void AppendRefusals(std::string& text,
                    const std::vector<std::unique_ptr<ReactorChannel>>& reactors) {
  constexpr char kName[] = "cairn_refused_blocks_total";
  AppendHead(text, kName, "counter", "Blocks not delivered or not taken, by reason.");
  for (size_t reason = 1; reason <= static_cast<size_t>(wire::MissReason::kMax); ++reason) {
    uint64_t sum = 0;
    for (const auto& reactor : reactors) sum += reactor->counters.refusals[reason].value();
    absl::StrAppend(&text, kName, "{reason=\"",
                    wire::MissReasonName(static_cast<wire::MissReason>(reason)), "\"} ", sum, "\n");
  }
}

const char* StageName(v1::Stage stage) {
  switch (stage) {
    case v1::QUEUE:
      return "queue";
    case v1::MEDIA:
      return "media";
    case v1::NETWORK:
      return "network";
    default:
      return "total";
  }
}

// In seconds, as both Prometheus' text and OpenMetrics write a float.
std::string Edge(uint64_t edge_ns) {
  const bool whole = edge_ns % 1'000'000'000 == 0;
  return absl::StrCat(static_cast<double>(edge_ns) / 1e9, whole ? ".0" : "");
}

void AppendHistogram(std::string& text, const char* name, const std::string& labels,
                     const LatencySnapshot& snapshot) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kLatencyBuckets; ++i) {
    sum += snapshot.counts[i];
    const std::string edge = i < kLatencyEdgesNs.size() ? Edge(kLatencyEdgesNs[i]) : "+Inf";
    absl::StrAppend(&text, name, "_bucket{", labels, ",le=\"", edge, "\"} ", sum, "\n");
  }
  absl::StrAppend(&text, name, "_sum{", labels, "} ", snapshot.sum_ns / 1'000'000'000, ".",
                  absl::Dec(snapshot.sum_ns % 1'000'000'000, absl::kZeroPad9), "\n", name,
                  "_count{", labels, "} ", sum, "\n");
}

// Of what was ever got: all that could be are 150 times twenty lines.
void AppendLatency(std::string& text, const std::vector<std::unique_ptr<ReactorChannel>>& reactors,
                   const std::string& transport) {
  constexpr char kName[] = "cairn_get_seconds";
  AppendHead(
      text, kName, "histogram",
      "Of delivered blocks, from the fetch's arrival to the last chunk's completion, and the "
      "stages of that: queue, media, network.");
  LatencyTable all;
  for (const auto& reactor : reactors) reactor->latencies.AddTo(all);
  LatencyTable table;
  for (const auto& [labels, snapshot] : all) {
    table[{labels.stage, labels.tier, labels.size_class, 0, labels.urgency}].Merge(snapshot);
  }
  for (const auto& [labels, snapshot] : table) {
    if (snapshot.count() == 0) continue;
    AppendHistogram(
        text, kName,
        absl::StrCat("stage=\"", StageName(labels.stage), "\",tier=\"",
                     labels.tier == v1::NVME_TIER ? "nvme" : "dram", "\",size_class=\"",
                     FormatByteSize(kSizeClassBytes[labels.size_class]), "\",urgency=\"",
                     UrgencyText(labels.urgency), "\",transport=\"", transport, "\""),
        snapshot);
  }
}

}  // namespace

std::string NodeMetricsText(const std::vector<ShardFigures>& shards,
                            const std::vector<const FlashCounters*>& drives,
                            const std::vector<std::unique_ptr<ReactorChannel>>& reactors,
                            const std::string& transport, bool ready) {
  std::string text;
  AppendHead(text, "cairn_node_ready", "gauge", "1 when the node takes traffic.");
  absl::StrAppend(&text, "cairn_node_ready ", ready ? 1 : 0, "\n");
  for (const ShardMetric& metric : kShardMetrics) {
    uint64_t sum = 0;
    for (const ShardFigures& shard : shards) sum += (shard.counters->*metric.figure).value();
    AppendHead(text, metric.name, metric.type, metric.help);
    absl::StrAppend(&text, metric.name, " ", sum, "\n");
  }
  AppendReuse(text, shards);
  for (const DriveMetric& metric : kDriveMetrics) {
    if (drives.empty()) break;
    uint64_t sum = 0;
    for (const FlashCounters* drive : drives) sum += (drive->*metric.figure).value();
    AppendHead(text, metric.name, metric.type, metric.help);
    absl::StrAppend(&text, metric.name, " ", sum, "\n");
  }
  for (const ReactorMetric& metric : kReactorMetrics) {
    uint64_t sum = 0;
    for (const auto& reactor : reactors) sum += (reactor->counters.*metric.figure).value();
    AppendHead(text, metric.name, metric.type, metric.help);
    absl::StrAppend(&text, metric.name, " ", sum, "\n");
  }
  AppendShare(text, drives);
  AppendRefusals(text, reactors);
  AppendLatency(text, reactors, transport);
  return text;
}

}  // namespace cairn
