#include "transport/sim/sim_control_channel.h"

#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "transport/sim/sim_trace.h"

namespace cairn {
namespace {

constexpr size_t kReplyOverheadBytes = 64;
constexpr absl::Duration kServiceTimeMax = absl::Microseconds(200);
constexpr absl::Duration kRetry = absl::Milliseconds(10);        // of a lost packet
constexpr absl::Duration kStoppedRetry = absl::Milliseconds(1);  // looks again for SIGCONT

uint64_t FingerprintOf(const std::string& bytes) {
  return SimFingerprint({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

// One call on its way there and back; lives in the events that carry it.
struct Flight {
  SimFabric& fabric;
  uint64_t channel;
  uint64_t call;
  SimHostId from;
  SimHostId to;
  std::string address;
  std::string method;
  std::string request;
  Instant deadline;
  uint64_t service_boot = 0;
  absl::StatusOr<std::string> reply = std::string();
};
using FlightPtr = std::shared_ptr<Flight>;  // std::function copies its captures

void Request(const FlightPtr& flight);
void Reply(const FlightPtr& flight);

// After the deadline the channel has answered by itself, and nothing is sent any more.
void Again(const FlightPtr& flight, absl::Duration delay, void (*step)(const FlightPtr&)) {
  if (flight->fabric.scheduler().Now() > flight->deadline) return;
  flight->fabric.scheduler().After(delay, [flight, step] { step(flight); });
}

void SendReply(const FlightPtr& flight, absl::StatusOr<std::string> reply) {
  flight->reply = std::move(reply);
  const size_t bytes = kReplyOverheadBytes + (flight->reply.ok() ? flight->reply->size() : 0);
  SimFabric& fabric = flight->fabric;
  fabric.scheduler().At(fabric.ArrivalTime(flight->to, flight->from, bytes),
                        [flight] { Reply(flight); });
}

void RunService(const FlightPtr& flight) {
  SimFabric& fabric = flight->fabric;
  const SimHostState& host = fabric.host(flight->to);
  auto service = fabric.services().find(flight->address);
  if (!host.powered) return;
  if (!host.alive || host.boots != flight->service_boot || service == fabric.services().end()) {
    return SendReply(flight, absl::UnavailableError("the peer closed the connection"));
  }
  if (host.stopped) return Again(flight, kStoppedRetry, RunService);
  absl::StatusOr<std::string> reply = service->second.handle(flight->method, flight->request);
  fabric.scheduler().trace().Record(fabric.scheduler().Now(), "serve", flight->channel,
                                    FingerprintOf(flight->request),
                                    reply.ok() ? FingerprintOf(*reply) : 0);
  SendReply(flight, std::move(reply));
}

void Request(const FlightPtr& flight) {
  SimFabric& fabric = flight->fabric;
  if (!fabric.Arrives(flight->from, flight->to)) return Again(flight, kRetry, Request);
  const SimHostState& host = fabric.host(flight->to);
  if (!host.alive || fabric.services().count(flight->address) == 0) {
    return SendReply(flight,
                     absl::UnavailableError(absl::StrCat(flight->address, ": connection refused")));
  }
  flight->service_boot = host.boots;
  fabric.scheduler().After(fabric.scheduler().Between(absl::ZeroDuration(), kServiceTimeMax),
                           [flight] { RunService(flight); });
}

void Reply(const FlightPtr& flight) {
  SimFabric& fabric = flight->fabric;
  if (!fabric.Arrives(flight->to, flight->from)) return Again(flight, kRetry, Reply);
  auto channel = fabric.channels().find(flight->channel);
  if (channel != fabric.channels().end()) {
    channel->second->Complete(flight->call, std::move(flight->reply));
  }
}

}  // namespace

SimControlChannel::SimControlChannel(SimFabric& fabric, SimHostId host, SimHostId target,
                                     std::string address, std::function<void()> wake)
    : fabric_(fabric),
      host_(host),
      target_(target),
      address_(std::move(address)),
      wake_(std::move(wake)),
      id_(fabric.NextId()) {
  fabric_.channels().emplace(id_, this);
}

SimControlChannel::~SimControlChannel() { fabric_.channels().erase(id_); }

void SimControlChannel::Call(const std::string& method, std::string request, absl::Duration timeout,
                             Done done) {
  CAIRN_CHECK(timeout > absl::ZeroDuration());
  const uint64_t call = fabric_.NextId();
  const bool full = pending_.size() >= kControlCallsInFlightMax;
  const bool large = request.size() > kControlMessageBytesMax;
  pending_.emplace(call, std::move(done));
  if (!fabric_.host(host_).alive) return;  // what is left of a dead process says nothing
  if (full || large) {
    return Complete(call, absl::ResourceExhaustedError(
                              full ? "kControlCallsInFlightMax calls are pending; Poll first"
                                   : "the request exceeds kControlMessageBytesMax"));
  }
  SimScheduler& scheduler = fabric_.scheduler();
  const Instant deadline = scheduler.Now() + timeout;
  const Instant arrival = fabric_.ArrivalTime(host_, target_, request.size());
  auto flight = std::make_shared<Flight>(
      Flight{fabric_, id_, call, host_, target_, address_, method, std::move(request), deadline});
  scheduler.At(arrival, [flight] { Request(flight); });
  scheduler.At(deadline, [&fabric = fabric_, channel = id_, call] {
    auto found = fabric.channels().find(channel);
    if (found == fabric.channels().end()) return;
    found->second->Complete(call, absl::DeadlineExceededError("no answer in time"));
  });
}

void SimControlChannel::Complete(uint64_t call, absl::StatusOr<std::string> result) {
  auto found = pending_.find(call);
  if (found == pending_.end()) return;
  ended_.push_back({std::move(found->second), std::move(result)});
  pending_.erase(found);
  wake_();
}

size_t SimControlChannel::Poll() {
  // A Done may call again; what that ends waits for the next Poll.
  std::deque<Ended> ended = std::exchange(ended_, {});
  for (Ended& call : ended) {
    fabric_.scheduler().trace().Record(fabric_.scheduler().Now(), "answer", id_,
                                       static_cast<uint64_t>(call.result.status().code()));
    call.done(std::move(call.result));
  }
  return ended.size();
}

}  // namespace cairn
