// What a reactor and the node's control thread say to each other: bounded rings and counters, never
// a lock.
#ifndef CAIRN_SERVER_NODE_REACTOR_CHANNEL_H_
#define CAIRN_SERVER_NODE_REACTOR_CHANNEL_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include <absl/status/status.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/spsc_ring.h"
#include "cache/admission/chain_table.h"
#include "cache/flash_tier.h"
#include "cache/shard_counters.h"
#include "proto/inventory.h"
#include "proto/token.h"
#include "proto/wire.h"
#include "server/node/get_latencies.h"

namespace cairn {

inline constexpr size_t kTokenKeysMax = 8;       // coordinators' keys, old ones during a change
inline constexpr size_t kReportRing = 1u << 16;  // changes on their way to the agent
inline constexpr size_t kCommandRing = 64;

struct ReactorCommand {
  enum class Kind { kTokenKeys, kSnapshot, kCluster } kind = Kind::kSnapshot;
  std::array<PublicKey, kTokenKeysMax> keys{};
  size_t key_count = 0;
  ClusterId cluster;
};

struct ReportItem {
  // kDrives: its drives told what cluster they belong to (zero: none yet), or refused to serve.
  enum class Kind : uint8_t { kChange, kSnapshotBegin, kSnapshotEnd, kDrives } kind = Kind::kChange;
  InventoryChange change;
  ClusterId cluster;
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
};

class ReactorChannel {
 public:
  SpscRing<ReactorCommand> commands{kCommandRing};  // agent to reactor
  SpscRing<ReportItem> reports{kReportRing};        // reactor to agent
  bool has_drives = false;                          // set before any thread runs
  ChainTable* chains = nullptr;                     // of all reactors, with drives
  std::atomic<bool> draining{false};                // agent or main to reactor
  std::atomic<Instant> last_turn{kNever};           // reactor: when its loop last turned
  std::atomic<bool> idle{true};                     // reactor: nothing is in flight
  ReactorCounters counters;
  GetLatencies latencies;

  // Of a drive that must not be used. Thread-safe.
  void SetDriveFailure(absl::Status why) {
    MutexLock lock(mutex_);
    drive_failure_ = std::move(why);
  }
  absl::Status drive_failure() const {
    MutexLock lock(mutex_);
    return drive_failure_;
  }

 private:
  mutable Mutex mutex_;
  absl::Status drive_failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cairn

#endif  // CAIRN_SERVER_NODE_REACTOR_CHANNEL_H_
