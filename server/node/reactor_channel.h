// What a reactor and the node's control thread say to each other: bounded rings and counters, never
// a lock.
#ifndef CAIRN_SERVER_NODE_REACTOR_CHANNEL_H_
#define CAIRN_SERVER_NODE_REACTOR_CHANNEL_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "base/histogram.h"
#include "base/spsc_ring.h"
#include "cache/shard_counters.h"
#include "proto/inventory.h"
#include "proto/token.h"
#include "proto/wire.h"

namespace cairn {

inline constexpr size_t kTokenKeysMax = 8;       // coordinators' keys, old ones during a change
inline constexpr size_t kReportRing = 1u << 16;  // changes on their way to the agent
inline constexpr size_t kCommandRing = 64;

struct ReactorCommand {
  enum class Kind { kTokenKeys, kSnapshot } kind = Kind::kSnapshot;
  std::array<PublicKey, kTokenKeysMax> keys{};
  size_t key_count = 0;
};

struct ReportItem {
  enum class Kind : uint8_t { kChange, kSnapshotBegin, kSnapshotEnd } kind = Kind::kChange;
  InventoryChange change;
};

// Written by the reactor, read by anyone.
struct ReactorCounters {
  Counter gets;      // blocks asked for by Fetch
  Counter get_hits;  // blocks whose last chunk was handed to the lane and completed
  Counter get_bytes;
  Counter puts;  // blocks offered
  Counter put_sealed;
  Counter put_bytes;
  Counter sessions;   // open now
  Counter endpoints;  // open now
  Counter leases;     // held now
  Counter sends;      // blocks queued or in flight
  Counter bad_messages;
  Counter refused_hellos;
  Counter watchdog_closes;
  Counter checksum_failures;  // of bytes that a writer sent
  std::array<Counter, static_cast<size_t>(wire::MissReason::kMax) + 1> refusals;
  Histogram get_service_ns;  // from the Fetch's arrival to the last chunk's completion
};

struct ReactorChannel {
  SpscRing<ReactorCommand> commands{kCommandRing};  // agent to reactor
  SpscRing<ReportItem> reports{kReportRing};        // reactor to agent
  std::atomic<bool> draining{false};                // agent or main to reactor
  std::atomic<bool> idle{true};                     // reactor: nothing is in flight
  ReactorCounters counters;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_REACTOR_CHANNEL_H_
