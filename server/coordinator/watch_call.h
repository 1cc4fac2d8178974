// One open Watch on the wire. Writes one reply at a time, so a slow peer costs no memory here: its
// place in the tenant's feed falls behind until the watch ends.
#ifndef CAIRN_SERVER_COORDINATOR_WATCH_CALL_H_
#define CAIRN_SERVER_COORDINATOR_WATCH_CALL_H_

#include <atomic>
#include <memory>

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include "base/mutex.h"
#include "server/coordinator/coordinator.h"

namespace cairn {

inline constexpr char kWatchMethod[] = "/cairn.v1.Coordinator/Watch";

// Owns itself. The coordinator and `stopping` outlive the call; once `stopping` is true it ends
// within a look.
class WatchCall final : public grpc::ServerGenericBidiReactor {
 public:
  WatchCall(grpc::GenericCallbackServerContext& context, Coordinator& coordinator,
            const std::atomic<bool>& stopping);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;
  // Writes what is new, or looks again later. One at a time: each look begins the next one's cause.
  void Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::GenericCallbackServerContext& context_;
  Coordinator& coordinator_;
  const std::atomic<bool>& stopping_;
  Mutex mutex_;  // gRPC's callbacks follow each other, each on a thread of its own
  std::unique_ptr<Watch> watch_ ABSL_GUARDED_BY(mutex_);
  grpc::Alarm alarm_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_WATCH_CALL_H_
