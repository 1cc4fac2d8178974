#include "transport/sim/sim_worker.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr uint64_t kEventsPerPollMax = 32;  // as a lane that hands over one batch of its queue
// More polls in one instant than any component makes while it waits for events of that instant.
constexpr size_t kStandstillPolls = 256;

absl::Span<const std::byte> BytesOf(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

EndpointId IdOf(uint64_t endpoint) { return static_cast<EndpointId>(endpoint); }

}  // namespace

SimRegion::SimRegion(SimWorker& worker, absl::Span<std::byte> memory)
    : Region(memory.data(), memory.size()), worker_(worker) {
  worker_.CountRegion(1);
}

SimRegion::~SimRegion() {
  CAIRN_CHECK(holds_ == 0);  // A transfer could still touch the memory.
  worker_.CountRegion(-1);
}

void SimRegion::LetGo() {
  CAIRN_CHECK(holds_ > 0);
  --holds_;
}

SimWorker::SimWorker(SimFabric& fabric, SimHostId host, std::function<void()> wake)
    : fabric_(fabric),
      host_(host),
      boot_(fabric.host(host).boots),
      id_(fabric.NextId()),
      wake_(std::move(wake)) {}

SimWorker::~SimWorker() {
  CAIRN_CHECK(!polling_);
  CAIRN_CHECK(regions_ == 0);
  for (auto& [id, endpoint] : endpoints_) {
    SimConnection* connection = fabric_.FindConnection(endpoint.connection);
    if (connection != nullptr) connection->EndClose(endpoint.side);
  }
  auto& listeners = fabric_.listeners();
  for (auto it = listeners.begin(); it != listeners.end();) {
    it = it->second == this ? listeners.erase(it) : std::next(it);
  }
}

bool SimWorker::alive() const {
  const SimHostState& host = fabric_.host(host_);
  return host.alive && host.boots == boot_;
}

absl::StatusOr<std::string> SimWorker::Listen(const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(std::string bound, fabric_.BindAddress(host_, address));
  if (!alive()) return absl::UnavailableError("the process is dead");
  if (!fabric_.listeners().emplace(bound, this).second) {
    return absl::AlreadyExistsError(absl::StrCat(bound, " is in use; choose another port"));
  }
  return bound;
}

absl::StatusOr<EndpointId> SimWorker::Connect(const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(const SimHostId target, fabric_.HostOf(address));
  if (!alive()) return absl::UnavailableError("the process is dead");
  if (endpoints_.size() >= kEndpointsMax) {
    return absl::ResourceExhaustedError("kEndpointsMax endpoints are open; close one");
  }
  const uint64_t endpoint = AddEndpoint(0, 0);
  endpoints_[endpoint].connection =
      fabric_.AddConnection(host_, *this, endpoint, target, address).id();
  return IdOf(endpoint);
}

uint64_t SimWorker::AddEndpoint(uint64_t connection, SimSide side) {
  endpoints_[++last_endpoint_] = {.connection = connection, .side = side};
  return last_endpoint_;
}

uint64_t SimWorker::AddAccepted(uint64_t connection, const std::string& peer) {
  if (!alive() || endpoints_.size() >= kEndpointsMax) return 0;
  const uint64_t endpoint = AddEndpoint(connection, 1);
  Push({.kind = SimEvent::Kind::kAccepted, .endpoint = endpoint, .bytes = peer});
  return endpoint;
}

absl::StatusOr<std::unique_ptr<Region>> SimWorker::Register(absl::Span<std::byte> memory) {
  if (memory.empty()) return absl::InvalidArgumentError("memory: empty");
  return std::make_unique<SimRegion>(*this, memory);
}

void SimWorker::ClaimLanding(const std::byte* begin, uint64_t bytes) {
  auto after = landings_.lower_bound(begin);
  CAIRN_CHECK(after == landings_.end() || begin + bytes <= after->first);
  CAIRN_CHECK(after == landings_.begin() ||
              std::prev(after)->first + std::prev(after)->second <= begin);
  landings_.emplace_hint(after, begin, bytes);
}

void SimWorker::UnclaimLanding(const std::byte* begin) { CAIRN_CHECK(landings_.erase(begin) == 1); }

absl::StatusOr<SimConnection*> SimWorker::FindOpen(EndpointId id, SimSide* side) {
  auto found = endpoints_.find(static_cast<uint64_t>(id));
  if (found == endpoints_.end()) return absl::UnavailableError("unknown endpoint");
  const Endpoint& endpoint = found->second;
  SimConnection* connection = fabric_.FindConnection(endpoint.connection);
  if (endpoint.closing || connection == nullptr || !connection->IsOpen(endpoint.side)) {
    return absl::UnavailableError("the endpoint has failed or is closing");
  }
  *side = endpoint.side;
  return connection;
}

absl::Status SimWorker::DoSendMessage(EndpointId endpoint, absl::Span<const std::byte> message) {
  SimSide side = 0;
  CAIRN_ASSIGN_OR_RETURN(SimConnection* const connection, FindOpen(endpoint, &side));
  return connection->SendMessage(side, message);
}

absl::Status SimWorker::DoSendBulks(EndpointId endpoint, absl::Span<const Bulk> bulks) {
  SimSide side = 0;
  CAIRN_ASSIGN_OR_RETURN(SimConnection* const connection, FindOpen(endpoint, &side));
  return connection->SendBulks(side, bulks);
}

void SimWorker::Close(EndpointId id) {
  auto found = endpoints_.find(static_cast<uint64_t>(id));
  if (found == endpoints_.end() || found->second.closing) return;
  Endpoint& endpoint = found->second;
  endpoint.closing = true;
  SimConnection* connection = fabric_.FindConnection(endpoint.connection);
  if (connection == nullptr || !alive()) return QueueClosed(found->first);
  connection->BeginClose(endpoint.side);
}

void SimWorker::QueueClosed(uint64_t id) {
  auto found = endpoints_.find(id);
  if (found == endpoints_.end() || found->second.closed_queued) return;
  found->second.closed_queued = true;
  Push({.kind = SimEvent::Kind::kClosed, .endpoint = id});
}

void SimWorker::Push(SimEvent event) {
  inbox_.push_back(std::move(event));
  wake_();
}

size_t SimWorker::Poll(Handler& handler) {
  CAIRN_CHECK(!polling_);
  if (inbox_.empty()) CompleteClosesAtStandstill();
  const size_t batch = 1 + fabric_.scheduler().random().Below(kEventsPerPollMax);
  const size_t count = std::min(batch, inbox_.size());
  polling_ = true;
  for (size_t i = 0; i < count; ++i) {
    SimEvent event = std::move(inbox_.front());
    inbox_.pop_front();
    Handle(event, handler);
  }
  polling_ = false;
  if (count > 0) standstill_polls_ = 0;
  return count;
}

void SimWorker::CompleteClosesAtStandstill() {
  const Instant now = fabric_.scheduler().Now();
  if (now != last_idle_poll_) standstill_polls_ = 0;
  last_idle_poll_ = now;
  if (++standstill_polls_ < kStandstillPolls) return;
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint.closing) QueueClosed(id);
  }
}

void SimWorker::Handle(SimEvent& event, Handler& handler) {
  auto found = endpoints_.find(event.endpoint);
  if (found == endpoints_.end()) return;
  Endpoint& endpoint = found->second;
  SimConnection* connection = fabric_.FindConnection(endpoint.connection);
  const EndpointId id = IdOf(event.endpoint);
  Trace(event);
  switch (event.kind) {
    case SimEvent::Kind::kAccepted:
      if (!endpoint.closing) handler.OnAccepted(id, event.bytes);
      return;
    case SimEvent::Kind::kMessage:
      if (connection != nullptr) connection->MessageConsumed(endpoint.side);
      if (!endpoint.closing) handler.OnMessage(id, BytesOf(event.bytes));
      return;
    case SimEvent::Kind::kBulkArrival:
      if (!endpoint.closing) HandleBulkArrival(event, endpoint, handler);
      return;
    case SimEvent::Kind::kReceived:
      if (event.code == absl::StatusCode::kOk && connection != nullptr) {
        connection->FinishReceive(event.transfer);
      }
      return handler.OnBulkReceived(id, event.tag, event.code);
    case SimEvent::Kind::kSent:
      if (event.code == absl::StatusCode::kOk && connection != nullptr) {
        connection->FinishSend(event.transfer);
      }
      return handler.OnBulkSent(id, event.tag, event.code);
    case SimEvent::Kind::kFailed:
      if (!endpoint.closing) handler.OnFailed(id, event.why);
      return;
    case SimEvent::Kind::kClosed:
      return HandleClosed(event, endpoint, handler);
  }
}

void SimWorker::HandleBulkArrival(const SimEvent& event, Endpoint& endpoint, Handler& handler) {
  SimConnection* connection = fabric_.FindConnection(endpoint.connection);
  if (connection == nullptr || !connection->IsOpen(endpoint.side)) return;
  uint64_t bulk_bytes = 0;
  const std::string* header = connection->ArrivedHeader(event.transfer, &bulk_bytes);
  if (header == nullptr) return;
  const SimSide side = endpoint.side;
  const std::string copy = *header;
  const Landing landing = handler.OnBulkArrival(IdOf(event.endpoint), BytesOf(copy), bulk_bytes);
  connection->AnswerBulk(side, event.transfer, landing);
}

void SimWorker::HandleClosed(const SimEvent& event, Endpoint endpoint, Handler& handler) {
  const EndpointId id = IdOf(event.endpoint);
  SimConnection* connection = fabric_.FindConnection(endpoint.connection);
  std::vector<SimCancelled> owed;
  if (connection != nullptr) owed = connection->EndClose(endpoint.side);
  for (const SimCancelled& callback : owed) {
    if (callback.received) {
      handler.OnBulkReceived(id, callback.tag, absl::StatusCode::kCancelled);
    } else {
      handler.OnBulkSent(id, callback.tag, absl::StatusCode::kCancelled);
    }
  }
  endpoints_.erase(event.endpoint);
  handler.OnClosed(id);
}

void SimWorker::Trace(const SimEvent& event) {
  static constexpr const char* kNames[] = {"accepted", "message", "bulk",  "received",
                                           "sent",     "failed",  "closed"};
  fabric_.scheduler().trace().Record(
      fabric_.scheduler().Now(), kNames[static_cast<size_t>(event.kind)], id_, event.endpoint,
      SimFingerprint(BytesOf(event.bytes)) ^ static_cast<uint64_t>(event.code));
}

}  // namespace cairn
