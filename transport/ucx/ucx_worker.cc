#include "transport/ucx/ucx_worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "transport/silent_handler.h"
#include "transport/ucx/send_guard.h"
#include "transport/ucx/tcp_listener_end.h"

namespace cairn {
namespace {

constexpr unsigned kMessageAm = 1;
constexpr unsigned kBulkAm = 2;
constexpr int kEndPause_ms = 1;
constexpr int kEndRoundsMax = 1000;

class UcxRegion final : public Region {
 public:
  UcxRegion(ucp_context_h context, ucp_mem_h memory, absl::Span<std::byte> bytes)
      : Region(bytes.data(), bytes.size()), context_(context), memory_(memory) {}
  ~UcxRegion() override { ucp_mem_unmap(context_, memory_); }
  ucp_mem_h memory() const { return memory_; }

 private:
  const ucp_context_h context_;
  const ucp_mem_h memory_;
};

ucp_mem_h MemoryOf(const RegionSlice& slice) {
  return static_cast<const UcxRegion*>(slice.region)->memory();
}

absl::StatusOr<sockaddr_in> ParseAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in parsed{};
  parsed.sin_family = AF_INET;
  uint32_t port = 0;
  if (colon == std::string::npos ||
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &parsed.sin_addr) != 1 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("address \"", address, "\" must be IPv4:port, e.g. 127.0.0.1:7401"));
  }
  parsed.sin_port = htons(static_cast<uint16_t>(port));
  return parsed;
}

std::string FormatAddress(const sockaddr_storage& address) {
  const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
  char text[INET_ADDRSTRLEN] = "?";
  inet_ntop(AF_INET, &ip.sin_addr, text, sizeof(text));
  return absl::StrCat(text, ":", ntohs(ip.sin_port));
}

absl::StatusCode CodeOf(ucs_status_t status) {
  if (status == UCS_OK) return absl::StatusCode::kOk;
  return status == UCS_ERR_CANCELED ? absl::StatusCode::kCancelled : absl::StatusCode::kUnavailable;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UcxWorker>> UcxWorker::Create(ucp_context_h context,
                                                             const UcxOptions& options) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_CLIENT_ID;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  params.client_id = kUcxClientId;
  ucp_worker_h raw = nullptr;
  CAIRN_RETURN_IF_ERROR(FromUcs(ucp_worker_create(context, &params, &raw), "ucp_worker_create"));
  UcpWorker worker(raw);
  ucp_worker_attr_t attributes{};
  attributes.field_mask = UCP_WORKER_ATTR_FIELD_MAX_AM_HEADER;
  CAIRN_RETURN_IF_ERROR(FromUcs(ucp_worker_query(raw, &attributes), "ucp_worker_query"));
  CAIRN_CHECK(attributes.max_am_header >= kTransportHeaderBytesMax);
  int event_fd = -1;
  CAIRN_RETURN_IF_ERROR(FromUcs(ucp_worker_get_efd(raw, &event_fd), "ucp_worker_get_efd"));
  auto made =
      std::unique_ptr<UcxWorker>(new UcxWorker(context, std::move(worker), event_fd, options));
  CAIRN_RETURN_IF_ERROR(made->SetHandlers());
  return made;
}

absl::Status UcxWorker::SetHandlers() {
  for (const auto& [id, callback] :
       {std::pair{kMessageAm, &MessageCallback}, std::pair{kBulkAm, &BulkCallback}}) {
    ucp_am_handler_param_t params{};
    params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                        UCP_AM_HANDLER_PARAM_FIELD_ARG;
    params.id = id;
    params.cb = callback;
    params.arg = this;
    CAIRN_RETURN_IF_ERROR(FromUcs(ucp_worker_set_am_recv_handler(worker_.get(), &params),
                                  "ucp_worker_set_am_recv_handler"));
  }
  return absl::OkStatus();
}

UcxWorker::~UcxWorker() {
  ending_ = true;
  if (listener_) StopAccepting(listening_);
  for (const auto& [id, endpoint] : endpoints_) Close(id);
  SilentHandler silent;
  while (!endpoints_.empty()) Poll(silent);
  if (listener_) EndListener(silent);
}

void UcxWorker::EndListener(Handler& silent) {
  size_t left = 0;
  for (int round = 0; round < kEndRoundsMax; ++round) {
    Poll(silent);
    left = EndAccepted(listening_);
    if (left == 0) break;
    poll(nullptr, 0, kEndPause_ms);  // UCX's thread reads and closes meanwhile
  }
  if (left > 0) Log(LogLevel::kWarning, "data_port_end_forced", {{"connections", left}});
  listener_.Reset();
}

absl::StatusOr<std::string> UcxWorker::Listen(const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(const sockaddr_in parsed, ParseAddress(address));
  ucp_listener_params_t params{};
  params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
  params.sockaddr = {reinterpret_cast<const sockaddr*>(&parsed), sizeof(parsed)};
  params.conn_handler = {&ConnectionCallback, this};
  ucp_listener_h raw = nullptr;
  const ucs_status_t status = ucp_listener_create(worker_.get(), &params, &raw);
  if (status != UCS_OK) {
    const absl::Status why = FromUcs(status, absl::StrCat("listen at ", address));
    return absl::Status(why.code(), absl::StrCat(why.message(),
                                                 "; is the address ours and the port free? port 0 "
                                                 "takes a free one"));
  }
  listener_.Reset(raw);
  ucp_listener_attr_t attributes{};
  attributes.field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR;
  CAIRN_RETURN_IF_ERROR(FromUcs(ucp_listener_query(raw, &attributes), "ucp_listener_query"));
  listening_ = reinterpret_cast<const sockaddr_in&>(attributes.sockaddr);
  GuardListener();
  return FormatAddress(attributes.sockaddr);
}

// The guard knows the requests of UCX 1.13 and would refuse those of a version that writes others.
void UcxWorker::GuardListener() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;
  ucp_get_version(&major, &minor, &patch);
  if (options_.tls != "tcp" || major != 1 || minor != 13) return;
  absl::StatusOr<std::unique_ptr<TcpListenerGuard>> guard =
      TcpListenerGuard::Create(listening_, kUcxClientId);
  if (guard.ok()) {
    guard_ = *std::move(guard);
  } else {
    Log(LogLevel::kWarning, "data_port_unguarded", {{"why", guard.status().message()}});
  }
}

absl::StatusOr<EndpointId> UcxWorker::AddEndpoint(ucp_ep_params_t& params) {
  if (endpoints_.size() == kEndpointsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this worker has ", kEndpointsMax, " endpoints; use more reactors"));
  }
  // PEER on both sides, or a killed peer leaves requests pending for minutes (docs/transports.md).
  params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLER | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler = {&ErrorCallback, this};
  auto endpoint = std::make_unique<Endpoint>();
  CAIRN_RETURN_IF_ERROR(
      FromUcs(ucp_ep_create(worker_.get(), &params, &endpoint->handle), "ucp_ep_create"));
  const auto id = static_cast<EndpointId>(next_endpoint_++);
  endpoint->id = id;
  by_handle_[endpoint->handle] = endpoint.get();
  endpoints_[id] = std::move(endpoint);
  return id;
}

absl::StatusOr<EndpointId> UcxWorker::Connect(const std::string& address) {
  CAIRN_ASSIGN_OR_RETURN(const sockaddr_in parsed, ParseAddress(address));
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR;
  params.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER | UCP_EP_PARAMS_FLAGS_SEND_CLIENT_ID;
  params.sockaddr = {reinterpret_cast<const sockaddr*>(&parsed), sizeof(parsed)};
  return AddEndpoint(params);
}

absl::StatusOr<std::unique_ptr<Region>> UcxWorker::Register(absl::Span<std::byte> memory) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = memory.data();
  params.length = memory.size();
  ucp_mem_h handle = nullptr;
  const ucs_status_t status = ucp_mem_map(context_, &params, &handle);
  if (status != UCS_OK) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "register ", memory.size(), " bytes with the network: ", ucs_status_string(status),
        "; set LimitMEMLOCK=infinity or ulimit -l unlimited"));
  }
  return std::make_unique<UcxRegion>(context_, handle, memory);
}

UcxWorker::Endpoint* UcxWorker::Find(EndpointId id) {
  const auto found = endpoints_.find(id);
  return found == endpoints_.end() ? nullptr : found->second.get();
}

UcxWorker::Endpoint* UcxWorker::FindByHandle(ucp_ep_h handle) {
  const auto found = by_handle_.find(handle);
  return found == by_handle_.end() ? nullptr : found->second;
}

absl::StatusOr<UcxWorker::Endpoint*> UcxWorker::FindUsable(EndpointId id) {
  Endpoint* endpoint = Find(id);
  if (endpoint == nullptr || endpoint->failed || endpoint->closing) {
    return absl::UnavailableError("the endpoint is failed or closed");
  }
  return endpoint;
}

UcxWorker::Operation* UcxWorker::TakeOperation(OperationKind kind, EndpointId endpoint,
                                               uint64_t tag) {
  if (free_operations_.empty()) {
    operations_.push_back(std::make_unique<Operation>());
    operations_.back()->owner = this;
    operations_.back()->bytes = std::make_unique<std::byte[]>(kTransportMessageBytesMax);
    free_operations_.reserve(operations_.size());
    free_operations_.push_back(operations_.back().get());
  }
  Operation* operation = free_operations_.back();
  free_operations_.pop_back();
  operation->kind = kind;
  operation->endpoint = endpoint;
  operation->tag = tag;
  return operation;
}

// NULL: done, and no callback comes. An error: failed at once. Otherwise the callback ends it.
void UcxWorker::Started(Operation* operation, ucs_status_ptr_t request) {
  if (request == nullptr) {
    Finished(operation, UCS_OK);
  } else if (UCS_PTR_IS_ERR(request)) {
    Finished(operation, UCS_PTR_STATUS(request));
  }
}

void UcxWorker::Finished(Operation* operation, ucs_status_t status) {
  ended_.push_back({operation->kind, operation->endpoint, operation->tag, CodeOf(status)});
  free_operations_.push_back(operation);
}

absl::Status UcxWorker::DoSendMessage(EndpointId id, absl::Span<const std::byte> message) {
  CAIRN_ASSIGN_OR_RETURN(Endpoint * endpoint, FindUsable(id));
  if (endpoint->messages_sending == kMessagesInFlightMax) {
    return absl::ResourceExhaustedError("too many messages in flight on this endpoint");
  }
  Operation* operation = TakeOperation(OperationKind::kMessage, id, 0);
  std::memcpy(operation->bytes.get(), message.data(), message.size());
  ++endpoint->messages_sending;
  ucp_request_param_t params{};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_AM_SEND_FLAG_EAGER | UCP_AM_SEND_FLAG_REPLY;
  params.cb.send = &SendCallback;
  params.user_data = operation;
  Started(operation, ucp_am_send_nbx(endpoint->handle, kMessageAm, nullptr, 0,
                                     operation->bytes.get(), message.size(), &params));
  return absl::OkStatus();
}

absl::Status UcxWorker::DoSendBulks(EndpointId id, absl::Span<const Bulk> bulks) {
  CAIRN_ASSIGN_OR_RETURN(Endpoint * endpoint, FindUsable(id));
  if (endpoint->bulks_sending + bulks.size() > kBulksInFlightMax) {
    return absl::ResourceExhaustedError("too many bulks in flight on this endpoint");
  }
  for (const Bulk& bulk : bulks) {
    Operation* operation = TakeOperation(OperationKind::kBulkSend, id, bulk.tag);
    std::memcpy(operation->bytes.get(), bulk.header.data(), bulk.header.size());
    ++endpoint->bulks_sending;
    const bool rendezvous = bulk.source.size_bytes >= options_.rendezvous_bytes_min;
    ucp_request_param_t params{};
    params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA |
                          UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_MEMH;
    params.flags =
        (rendezvous ? UCP_AM_SEND_FLAG_RNDV : UCP_AM_SEND_FLAG_EAGER) | UCP_AM_SEND_FLAG_REPLY;
    params.cb.send = &SendCallback;
    params.user_data = operation;
    params.memh = MemoryOf(bulk.source);
    Started(operation,
            ucp_am_send_nbx(endpoint->handle, kBulkAm, operation->bytes.get(), bulk.header.size(),
                            bulk.source.region->base() + bulk.source.offset_bytes,
                            bulk.source.size_bytes, &params));
  }
  return absl::OkStatus();
}

void UcxWorker::SendCallback(void* request, ucs_status_t status, void* operation) {
  auto* ended = static_cast<Operation*>(operation);
  ended->owner->Finished(ended, status);
  ucp_request_free(request);
}

void UcxWorker::ReceiveCallback(void* request, ucs_status_t status, size_t, void* operation) {
  SendCallback(request, status, operation);
}

ucs_status_t UcxWorker::MessageCallback(void* self, const void*, size_t, void* data, size_t bytes,
                                        const ucp_am_recv_param_t* param) {
  return static_cast<UcxWorker*>(self)->OnMessageArrival(data, bytes, param);
}

ucs_status_t UcxWorker::BulkCallback(void* self, const void* header, size_t header_bytes,
                                     void* data, size_t bytes, const ucp_am_recv_param_t* param) {
  return static_cast<UcxWorker*>(self)->OnBulkArrival(header, header_bytes, data, bytes, param);
}

// Returning UCS_OK without a receive ends a rendezvous: the sender's request completes.
ucs_status_t UcxWorker::OnMessageArrival(const void* data, size_t bytes,
                                         const ucp_am_recv_param_t* param) {
  const bool whole = (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0 &&
                     (param->recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) != 0;
  if (!whole || bytes == 0 || bytes > kTransportMessageBytesMax) return UCS_OK;
  Endpoint* endpoint = FindByHandle(param->reply_ep);
  if (endpoint == nullptr || endpoint->closing || handler_ == nullptr) return UCS_OK;
  ++events_;
  handler_->OnMessage(endpoint->id, {static_cast<const std::byte*>(data), bytes});
  return UCS_OK;
}

ucs_status_t UcxWorker::OnBulkArrival(const void* header, size_t header_bytes, void* data,
                                      size_t bytes, const ucp_am_recv_param_t* param) {
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) == 0) return UCS_OK;
  Endpoint* endpoint = FindByHandle(param->reply_ep);
  const bool sane = header_bytes >= 1 && header_bytes <= kTransportHeaderBytesMax && bytes >= 1 &&
                    bytes <= kTransportBulkBytesMax;
  if (!sane || endpoint == nullptr || endpoint->closing || handler_ == nullptr ||
      endpoint->bulks_receiving == kBulksInFlightMax) {
    return UCS_OK;
  }
  ++events_;
  const EndpointId id = endpoint->id;
  const Landing landing =
      handler_->OnBulkArrival(id, {static_cast<const std::byte*>(header), header_bytes}, bytes);
  if (!landing.accepted) return UCS_OK;
  CAIRN_CHECK(landing.destination.size_bytes == bytes);
  std::byte* destination = landing.destination.region->base() + landing.destination.offset_bytes;
  ++endpoint->bulks_receiving;
  Operation* operation = TakeOperation(OperationKind::kBulkReceive, id, landing.tag);
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0) {
    std::memcpy(destination, data, bytes);
    Finished(operation, UCS_OK);
    return UCS_OK;
  }
  ucp_request_param_t params{};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMH;
  params.cb.recv_am = &ReceiveCallback;
  params.user_data = operation;
  params.memh = MemoryOf(landing.destination);
  Started(operation, ucp_am_recv_data_nbx(worker_.get(), data, destination, bytes, &params));
  return UCS_OK;
}

void UcxWorker::ConnectionCallback(ucp_conn_request_h request, void* self) {
  auto* worker = static_cast<UcxWorker*>(self);
  const bool full =
      worker->endpoints_.size() + worker->pending_connections_.size() >= kEndpointsMax;
  if (full || worker->ending_) {
    worker->Reject(request);
    return;
  }
  worker->pending_connections_.push_back(request);
}

void UcxWorker::ErrorCallback(void* self, ucp_ep_h handle, ucs_status_t status) {
  auto* worker = static_cast<UcxWorker*>(self);
  Endpoint* endpoint = worker->FindByHandle(handle);
  if (endpoint == nullptr || endpoint->failed) return;
  endpoint->failed = true;
  endpoint->failure = FromUcs(status, "connection");
  if (absl::IsInternal(endpoint->failure)) {
    endpoint->failure = absl::UnavailableError(endpoint->failure.message());
  }
  worker->pending_failures_.push_back(endpoint->id);
}

void UcxWorker::Reject(ucp_conn_request_h request) {
  const TruthfulSends truthful;
  ucp_listener_reject(listener_.get(), request);
}

bool UcxWorker::IsAdmissible(ucp_conn_request_h request, std::string& peer) {
  ucp_conn_request_attr_t attributes{};
  attributes.field_mask =
      UCP_CONN_REQUEST_ATTR_FIELD_CLIENT_ADDR | UCP_CONN_REQUEST_ATTR_FIELD_CLIENT_ID;
  if (ucp_conn_request_query(request, &attributes) != UCS_OK) return false;
  if (attributes.client_id != kUcxClientId) return false;
  peer = FormatAddress(attributes.client_address);
  return guard_ == nullptr ||
         guard_->Admit(reinterpret_cast<const sockaddr_in&>(attributes.client_address));
}

void UcxWorker::AcceptPending() {
  for (ucp_conn_request_h request : std::exchange(pending_connections_, {})) {
    std::string peer;
    if (!IsAdmissible(request, peer)) {
      Reject(request);
      continue;
    }
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST;
    params.conn_request = request;
    const absl::StatusOr<EndpointId> id = AddEndpoint(params);
    if (!id.ok()) continue;  // the peer is gone already; UCX consumed the request
    ++events_;
    handler_->OnAccepted(*id, peer);
  }
}

void UcxWorker::Close(EndpointId id) {
  Endpoint* endpoint = Find(id);
  if (endpoint == nullptr || endpoint->closing) return;
  endpoint->closing = true;
  // UCX completes outstanding requests from within the close call, so that is made in Poll.
  pending_closes_.push_back(id);
}

void UcxWorker::BeginCloses() {
  for (const EndpointId id : std::exchange(pending_closes_, {})) {
    Endpoint* endpoint = Find(id);
    Operation* operation = TakeOperation(OperationKind::kClose, id, 0);
    by_handle_.erase(endpoint->handle);
    ucp_request_param_t params{};
    params.op_attr_mask =
        UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
    params.flags = UCP_EP_CLOSE_FLAG_FORCE;
    params.cb.send = &SendCallback;
    params.user_data = operation;
    Started(operation, ucp_ep_close_nbx(endpoint->handle, &params));
  }
}

void UcxWorker::ForgetClosed(Endpoint& endpoint) {
  const bool done = endpoint.closed_by_ucx && endpoint.bulks_sending == 0 &&
                    endpoint.bulks_receiving == 0 && endpoint.messages_sending == 0;
  if (!done) return;
  const EndpointId id = endpoint.id;
  endpoints_.erase(id);
  handler_->OnClosed(id);
}

size_t UcxWorker::TellEnded() {
  size_t told = 0;
  while (!ended_.empty()) {
    std::swap(ended_, telling_);
    for (const Ended& end : telling_) {
      Endpoint& endpoint = *Find(end.endpoint);
      switch (end.kind) {
        case OperationKind::kMessage:
          --endpoint.messages_sending;
          break;
        case OperationKind::kBulkSend:
          --endpoint.bulks_sending;
          handler_->OnBulkSent(end.endpoint, end.tag, end.code);
          break;
        case OperationKind::kBulkReceive:
          --endpoint.bulks_receiving;
          handler_->OnBulkReceived(end.endpoint, end.tag, end.code);
          break;
        case OperationKind::kClose:
          endpoint.closed_by_ucx = true;
          break;
      }
      ++told;
      ForgetClosed(endpoint);
    }
    telling_.clear();
  }
  return told;
}

size_t UcxWorker::Poll(Handler& handler) {
  handler_ = &handler;
  events_ = 0;
  ucp_worker_progress(worker_.get());
  AcceptPending();
  BeginCloses();
  events_ += TellEnded();
  for (const EndpointId id : std::exchange(pending_failures_, {})) {
    Endpoint* endpoint = Find(id);
    if (endpoint == nullptr || endpoint->closing) continue;
    ++events_;
    const absl::Status why = endpoint->failure;
    handler.OnFailed(id, why);
  }
  handler_ = nullptr;
  return events_;
}

bool UcxWorker::Arm() {
  if (!ended_.empty() || !pending_closes_.empty() || !pending_failures_.empty()) return false;
  return ucp_worker_arm(worker_.get()) == UCS_OK;
}

std::string UcxWorker::Describe() const {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;
  ucp_get_version(&major, &minor, &patch);
  return absl::StrCat("ucx ", major, ".", minor, ".", patch, " ", options_.tls);
}

}  // namespace cairn
