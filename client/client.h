// The asynchronous client of one cluster: finds, pins, fetches and stores KV blocks.
//
// Not thread-safe: one Client per thread; no callback on a foreign thread, no thread of the
// caller's is blocked but in Connect(). Submit batches, then Poll() for completions, or sleep on
// event_fd(). P1: bytes are verified before a Get completes with kOk. P2: every operation completes
// by its deadline (plus the fence bound of ClientOptions). P6: after a completion nothing touches
// its bytes.
#ifndef CAIRN_CLIENT_CLIENT_H_
#define CAIRN_CLIENT_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/runtime.h"
#include "proto/identity.h"
#include "proto/wire.h"

namespace cairn {

namespace v1 {
class Namespace;
}

struct ClientOptions {
  std::vector<std::string> coordinators;  // "host:port", tried in order
  std::string tenant = "default";
  TenantSecret secret{};
  uint64_t inflight_bytes_max = 64u << 20;  // over all nodes; 1 MiB to 16 GiB
  uint32_t operations_max = 65536;          // transfers queued or in flight; 1 to 1 Mi
  uint32_t location_cache_entries = 1u << 18;
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration fence_margin =
      absl::Milliseconds(5);  // a transfer begins to be fenced this long before its deadline
  absl::Duration lease = absl::Seconds(10);  // how long a Match holds its pins
  absl::Duration heartbeat_interval =
      absl::Seconds(1);  // three missed: the node's connection is closed
  absl::Duration backoff_min = absl::Milliseconds(50);  // of reconnects, doubled with jitter
  absl::Duration backoff_max = absl::Seconds(2);
  uint32_t breaker_failures = 5;  // in a row: the node is skipped for breaker_open
  absl::Duration breaker_open = absl::Seconds(1);
  wire::Urgency urgency = wire::Urgency::kStandard;  // of all gets; latencies are told by it
  bool telemetry = true;  // latencies and hits are recorded and told to a coordinator

  // kInvalidArgument names the field, the value and the range.
  absl::Status Validate() const;
};

// Memory that transfers may name. Destroying it first ends the transfers that name it (kCancelled,
// their nodes' connections torn down): on return no NIC touches its bytes. May outlive its client.
class MemoryRegion {
 public:
  virtual ~MemoryRegion() = default;
  virtual uint64_t size_bytes() const = 0;
};

// count pieces of size_bytes each, the i-th at base_bytes + i * stride_bytes of the region. A block
// is the concatenation of its extents' pieces.
struct Extents {
  uint64_t base_bytes = 0;
  uint64_t stride_bytes = 0;  // ignored with count 1
  uint32_t count = 1;
  uint32_t size_bytes = 0;
};
inline constexpr size_t kExtentsPerTransferMax = 256;
inline constexpr size_t kRegionPiecesMax = 1024;

struct Transfer {
  BlockKey key;
  const MemoryRegion* region = nullptr;
  absl::Span<const Extents> extents;  // copied by the call; total length 1 B to 64 MiB
  uint64_t tag = 0;
  // Put only:
  BlockKey parent;        // of the block before it in its chain; zero at position 0
  uint32_t position = 0;  // in its chain
  BlockKey run_key;       // key of the block at RunStart(position)
};

enum class LeaseId : uint64_t { kNone = 0 };

struct Completion {  // Once per tag.
  uint64_t tag = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  wire::MissReason reason = wire::MissReason::kNone;  // with a code other than kOk: why, in a word
  uint32_t blocks = 0;                                // Match only: leading blocks held for us
  LeaseId lease = LeaseId::kNone;                     // Match only; kNone when blocks is 0
};

enum class PutPriority : int8_t { kLow = -1, kNormal = 0, kHigh = 1 };

// What the engine knows of the future of the blocks. The node's policy weighs it; nothing is
// promised by it.
struct PutHints {
  bool will_return = false;                     // this session comes back
  bool one_off = false;                         // nobody asks again; outweighs the others
  PutPriority priority = PutPriority::kNormal;  // high: as will_return; low: goes before its like
};

struct ClientStatistics {
  uint64_t gets = 0, get_hits = 0, get_bytes = 0;
  uint64_t puts = 0, put_stored = 0, put_bytes = 0;
  uint64_t matches = 0, locates = 0, location_cache_hits = 0;
  uint64_t reconnects = 0, fences = 0, checksum_failures = 0, late_arrivals_refused = 0;
  uint64_t misses_by_reason[static_cast<size_t>(wire::MissReason::kMax) + 1] = {};
};

class Client {
 public:
  // Blocks until a coordinator opened a session for `ns` or options.connect_timeout passed.
  // kInvalidArgument: names the field. kUnauthenticated: tenant or secret. kUnavailable: nobody
  // answered, the message lists each coordinator with its error. kFailedPrecondition: the cluster
  // speaks no version that we do; the message names both and the remedy.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options,
                                                         const v1::Namespace& ns, Runtime& runtime);
  // The same without blocking, for the simulation and for event loops: operations submitted before
  // the session is open wait for it until their deadline. runtime's members outlive the client.
  static absl::StatusOr<std::unique_ptr<Client>> Start(const ClientOptions& options,
                                                       const v1::Namespace& ns, Runtime& runtime);
  // Cancels all; on return no NIC touches any region. Bounded by the lanes' close.
  virtual ~Client() = default;

  // True once a session is open (and while a coordinator outage leaves the session's token valid).
  virtual bool ready() const = 0;
  // Of the coordinator that opened the session; empty before.
  virtual const std::string& server_version() const = 0;

  // One region over several pieces of memory, say an engine's tensor per layer: its offsets run
  // through them in order; one extent lies in one piece. The caller keeps the memory mapped and
  // alive longer than the region or, if that dies first, the client. kInvalidArgument names the
  // piece: empty, or overlapping another. kResourceExhausted: memlock.
  virtual absl::StatusOr<std::unique_ptr<MemoryRegion>> RegisterPieces(
      absl::Span<const absl::Span<std::byte>> pieces) = 0;
  absl::StatusOr<std::unique_ptr<MemoryRegion>> Register(absl::Span<std::byte> memory) {
    return RegisterPieces({&memory, 1});
  }

  // The block keys of this client's tenant and namespace for the engine's chained hashes.
  virtual BlockKey MakeKey(absl::Span<const std::byte> block_hash) const = 0;

  // Finds and pins the longest available prefix of `chain` (keys from position 0 on, at most
  // 65,536). Completes kOk also with 0 blocks; then `reason` says why.
  virtual absl::Status Match(absl::Span<const BlockKey> chain, uint64_t tag, Instant deadline) = 0;
  // Each transfer lands a block; lease: of a Match that holds it, or kNone (then the location cache
  // or one Locate finds it). Not OK: nothing was queued. kResourceExhausted: Poll, then retry.
  // kInvalidArgument names the transfer's index and field.
  virtual absl::Status Get(absl::Span<const Transfer> batch, LeaseId lease, Instant deadline) = 0;
  // Idempotent. Completes kOk when the block is sealed (by us or before us); the bytes are the
  // caller's again at completion. Blocks of one run must be given head first.
  virtual absl::Status Put(absl::Span<const Transfer> batch, const PutHints& hints,
                           Instant deadline) = 0;
  // Put of a copy, made within the call: the bytes are the caller's again when it returns, and its
  // region may die. kResourceExhausted: 64 MiB of copies are under way; Poll, then retry or Put.
  virtual absl::Status PutBehind(absl::Span<const Transfer> batch, const PutHints& hints,
                                 Instant deadline) = 0;
  // Lets the blocks go. Transfers in flight keep their own pins. Unknown or ended leases are
  // ignored.
  virtual void Release(LeaseId lease) = 0;

  // Advances everything and writes up to out.size() completions. Never blocks.
  virtual size_t Poll(absl::Span<Completion> out) = 0;
  // A batch or match has ended whose last completion Poll has not handed out yet.
  virtual bool HasEnded() const = 0;
  // Readable (poll, epoll) when Poll may have work, deadlines included. -1 in the simulation.
  virtual int event_fd() const = 0;
  // Call before sleeping on event_fd(); false: Poll again first.
  virtual bool PrepareToSleep() = 0;

  virtual const ClientStatistics& statistics() const = 0;
  virtual const Histogram& get_latency_ns() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_CLIENT_H_
