#include "server/coordinator/watch_call.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "server/coordinator/grpc_bytes.h"

namespace cairn {
namespace {

// Nodes report about as often; 256 watches that look this often cost a core 1 %.
constexpr auto kLookInterval = std::chrono::milliseconds(50);

}  // namespace

WatchCall::WatchCall(grpc::GenericCallbackServerContext& context, Coordinator& coordinator,
                     const std::atomic<bool>& stopping)
    : context_(context), coordinator_(coordinator), stopping_(stopping) {
  MutexLock lock(mutex_);
  StartRead(&request_);
}

void WatchCall::OnReadDone(bool ok) {
  MutexLock lock(mutex_);
  if (!ok) return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no request"));
  absl::StatusOr<std::unique_ptr<Watch>> watch = coordinator_.OpenWatch(ToString(request_));
  if (!watch.ok()) return Finish(ToGrpc(watch.status()));
  watch_ = *std::move(watch);
  Look();
}

void WatchCall::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  if (!ok) return Finish(grpc::Status::CANCELLED);
  Look();
}

void WatchCall::OnDone() {
  {
    MutexLock lock(mutex_);
    watch_.reset();
  }
  delete this;
}

void WatchCall::Look() {
  if (context_.IsCancelled()) return Finish(grpc::Status::CANCELLED);
  if (stopping_) {
    return Finish(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "the coordinator stops; watch at another one"));
  }
  absl::StatusOr<std::optional<std::string>> reply = watch_->Next();
  if (!reply.ok()) return Finish(ToGrpc(reply.status()));
  if (!reply->has_value()) {
    return alarm_.Set(std::chrono::system_clock::now() + kLookInterval, [this](bool) {
      MutexLock lock(mutex_);
      Look();
    });
  }
  reply_ = ToByteBuffer(**reply);
  StartWrite(&reply_);
}

}  // namespace cairn
