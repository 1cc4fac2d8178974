// The node's metrics, one table: name, type, help and where the figure comes from.
#ifndef CAIRN_SERVER_NODE_NODE_METRICS_H_
#define CAIRN_SERVER_NODE_NODE_METRICS_H_

#include <memory>
#include <string>
#include <vector>

#include "cache/flash_tier.h"
#include "cache/policy/reuse_estimate.h"
#include "cache/shard_counters.h"
#include "server/node/reactor_channel.h"

namespace cairn {

struct ShardFigures {
  const ShardCounters* counters;
  const ReuseFigures* reuse;
};

// Prometheus text format 0.0.4, summed over the reactors. Thread-safe.
// transport: of the data plane.
std::string NodeMetricsText(const std::vector<ShardFigures>& shards,
                            const std::vector<const FlashCounters*>& drives,
                            const std::vector<std::unique_ptr<ReactorChannel>>& reactors,
                            const std::string& transport, bool ready);

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_NODE_METRICS_H_
