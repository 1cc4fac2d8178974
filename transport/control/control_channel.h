// Unary calls to one control service, without a thread of the caller's: results come by Poll().
// The real one speaks gRPC; the simulated one obeys the simulated network.
#ifndef CAIRN_TRANSPORT_CONTROL_CONTROL_CHANNEL_H_
#define CAIRN_TRANSPORT_CONTROL_CONTROL_CHANNEL_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace cairn {

inline constexpr size_t kControlCallsInFlightMax = 1024;      // per channel
inline constexpr size_t kControlMessageBytesMax = 16u << 20;  // request or reply

// Belongs to one thread, except that event_fd() may be polled anywhere.
class ControlChannel {
 public:
  // The reply's serialized protobuf, or: kUnavailable (nobody answers), kDeadlineExceeded, or what
  // the service answered. Called once, from Poll(), never from within Call().
  using Done = std::function<void(absl::StatusOr<std::string>)>;

  // Pending calls end without their Done being called.
  virtual ~ControlChannel() = default;

  // method: "/cairn.v1.Coordinator/Locate". timeout > 0. A full channel answers
  // kResourceExhausted by Done.
  virtual void Call(const std::string& method, std::string request, absl::Duration timeout,
                    Done done) = 0;
  // Delivers what has ended; returns how many.
  virtual size_t Poll() = 0;
  // Readable while Poll has something to deliver. -1 in the simulation.
  virtual int event_fd() const = 0;
  virtual const std::string& address() const = 0;
};

// The typed form: serializes, parses, and turns an unparsable reply into kInternal.
template <typename Reply, typename Request>
void CallTyped(ControlChannel& channel, const std::string& method, const Request& request,
               absl::Duration timeout, std::function<void(absl::StatusOr<Reply>)> done) {
  channel.Call(method, request.SerializeAsString(), timeout,
               [done = std::move(done), method](absl::StatusOr<std::string> bytes) {
                 if (!bytes.ok()) return done(std::move(bytes).status());
                 Reply reply;
                 if (!reply.ParseFromString(*bytes)) {
                   return done(absl::InternalError(method + ": the reply does not parse"));
                 }
                 done(std::move(reply));
               });
}

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_CONTROL_CONTROL_CHANNEL_H_
