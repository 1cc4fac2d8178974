// The coordinator's logic without its gRPC: membership, placement, prefix index, sessions, tenants.
// Soft state but for the registry: losing it loses no block (P4).
#ifndef CAIRN_SERVER_COORDINATOR_COORDINATOR_H_
#define CAIRN_SERVER_COORDINATOR_COORDINATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/runtime.h"
#include "server/registry/history_store.h"
#include "server/registry/registry.h"

namespace cairn {

inline constexpr absl::Duration kStepStallMax = absl::Seconds(10);

struct CoordinatorOptions {
  std::string state_folder;  // signing key, admin credential
  uint64_t index_bytes_max =
      2ull << 30;  // beyond it the oldest entries go; blocks stay where they are
  absl::Duration heartbeat_interval = absl::Seconds(1);
  absl::Duration node_timeout = absl::Seconds(3);  // silence after which no Locate names the node
  absl::Duration forget_node_after = absl::Minutes(5);  // after which its index entries go
  absl::Duration session_lifetime = absl::Minutes(10);

  // kInvalidArgument names the field, the value and the range.
  absl::Status Validate() const;
};

// One open cairn.v1.Coordinator/Watch. Thread-safe; dies before its coordinator.
class Watch {
 public:
  virtual ~Watch() = default;
  // The next WatchReply, serialized; nullopt: nothing new, ask again in a while. An error ends the
  // watch: kUnauthenticated: the token expired. kResourceExhausted: the caller is too slow.
  virtual absl::StatusOr<std::optional<std::string>> Next() = 0;
};

class Coordinator {
 public:
  // runtime's members, registry and history outlive the coordinator. history: nullptr keeps what
  // was observed in memory alone.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(const CoordinatorOptions& options,
                                                             Registry& registry, Runtime& runtime,
                                                             HistoryStore* history = nullptr);
  virtual ~Coordinator() = default;

  // One call of cairn.v1.Coordinator or Observer, as serialized protobufs:
  // "/cairn.v1.Coordinator/Locate".
  // Thread-safe. kUnimplemented: no such method. kInvalidArgument names the field. kUnauthenticated
  // says no more than that. This is what both the gRPC service and the simulation call.
  virtual absl::StatusOr<std::string> Handle(const std::string& method,
                                             const std::string& request) = 0;
  // Whether Handle() of this may wait for the registry's disk; what it may not, never waits long.
  virtual bool AsksRegistry(const std::string& method) const = 0;
  // The one call that streams: a serialized WatchRequest. Thread-safe. Errors as Handle()'s;
  // kResourceExhausted: too many watch.
  virtual absl::StatusOr<std::unique_ptr<Watch>> OpenWatch(const std::string& request) = 0;
  // Marks silent nodes lost, forgets old ones. Call about every 100 ms; thread-safe.
  virtual void Step() = 0;
  // For embedded use (`cairn up`) and the CLI on the same machine.
  virtual std::string admin_credential() const = 0;
  virtual std::string MetricsText() const = 0;
  virtual bool ready() const = 0;
  // kUnavailable: Step() has not come to its end for kStepStallMax: its thread hangs, or whoever
  // has the lock that every call needs. A registry that does not answer is neither: those who need
  // it wait, and another start would find it no better. Thread-safe, and waits for nobody.
  virtual absl::Status health() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_COORDINATOR_H_
