// A transport worker over UCX active messages: eager messages, bulks by rendezvous with sender put.
#ifndef CAIRN_TRANSPORT_UCX_UCX_WORKER_H_
#define CAIRN_TRANSPORT_UCX_UCX_WORKER_H_

#include <ucp/api/ucp.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/handle.h"
#include "transport/transport.h"
#include "transport/ucx/tcp_listener_guard.h"
#include "transport/ucx/ucx_context.h"

namespace cairn {

// What every worker calls itself when it connects; a listener refuses whoever says something else.
// No secret: it keeps out strangers, and bytes that are no request at all.
inline constexpr uint64_t kUcxClientId = 0x434149524e554358;  // "CAIRNUCX"

class UcxWorker final : public Worker {
 public:
  // context outlives the worker.
  static absl::StatusOr<std::unique_ptr<UcxWorker>> Create(ucp_context_h context,
                                                           const UcxOptions& options);
  ~UcxWorker() override;

  absl::StatusOr<std::string> Listen(const std::string& address) override;
  absl::StatusOr<EndpointId> Connect(const std::string& address) override;
  absl::StatusOr<std::unique_ptr<Region>> Register(absl::Span<std::byte> memory) override;
  void Close(EndpointId endpoint) override;
  size_t Poll(Handler& handler) override;
  int event_fd() const override { return event_fd_; }
  bool Arm() override;
  void Wake() override { ucp_worker_signal(worker_.get()); }
  std::string Describe() const override;
  std::string_view transport() const override { return options_.tls == "tcp" ? "tcp" : "rdma"; }

 private:
  using UcpWorker = Handle<ucp_worker_h, ucp_worker_destroy, nullptr>;
  using UcpListener = Handle<ucp_listener_h, ucp_listener_destroy, nullptr>;

  struct Endpoint {
    ucp_ep_h handle = nullptr;
    EndpointId id = EndpointId::kNone;
    uint32_t bulks_sending = 0;
    uint32_t bulks_receiving = 0;
    uint32_t messages_sending = 0;
    bool failed = false;         // UCX told us
    bool closing = false;        // Close() was called
    bool closed_by_ucx = false;  // the close request has completed
    absl::Status failure;
  };

  enum class OperationKind : uint8_t { kMessage, kBulkSend, kBulkReceive, kClose };
  // What a UCX request needs to live: its header or message, and whom to tell.
  struct Operation {
    UcxWorker* owner = nullptr;
    OperationKind kind = OperationKind::kMessage;
    EndpointId endpoint = EndpointId::kNone;
    uint64_t tag = 0;
    std::unique_ptr<std::byte[]> bytes;  // kTransportMessageBytesMax, kept with the record
  };
  // Something that ended and is told at the end of Poll.
  struct Ended {
    OperationKind kind;
    EndpointId endpoint;
    uint64_t tag;
    absl::StatusCode code;
  };

  UcxWorker(ucp_context_h context, UcpWorker worker, int event_fd, const UcxOptions& options)
      : options_(options), context_(context), worker_(std::move(worker)), event_fd_(event_fd) {}

  absl::Status DoSendMessage(EndpointId endpoint, absl::Span<const std::byte> message) override;
  absl::Status DoSendBulks(EndpointId endpoint, absl::Span<const Bulk> bulks) override;

  absl::Status SetHandlers();
  absl::StatusOr<EndpointId> AddEndpoint(ucp_ep_params_t& params);
  Endpoint* Find(EndpointId id);
  Endpoint* FindByHandle(ucp_ep_h handle);
  absl::StatusOr<Endpoint*> FindUsable(EndpointId id);
  Operation* TakeOperation(OperationKind kind, EndpointId endpoint, uint64_t tag);
  // Handles all three answers of a nonblocking call.
  void Started(Operation* operation, ucs_status_ptr_t request);
  void Finished(Operation* operation, ucs_status_t status);
  void GuardListener();
  void EndListener(Handler& silent);
  bool IsAdmissible(ucp_conn_request_h request, std::string& peer);
  void Reject(ucp_conn_request_h request);
  void AcceptPending();
  void BeginCloses();
  size_t TellEnded();
  void ForgetClosed(Endpoint& endpoint);
  ucs_status_t OnMessageArrival(const void* data, size_t bytes, const ucp_am_recv_param_t* param);
  ucs_status_t OnBulkArrival(const void* header, size_t header_bytes, void* data, size_t bytes,
                             const ucp_am_recv_param_t* param);

  static ucs_status_t MessageCallback(void* self, const void* header, size_t header_bytes,
                                      void* data, size_t bytes, const ucp_am_recv_param_t* param);
  static ucs_status_t BulkCallback(void* self, const void* header, size_t header_bytes, void* data,
                                   size_t bytes, const ucp_am_recv_param_t* param);
  static void SendCallback(void* request, ucs_status_t status, void* operation);
  static void ReceiveCallback(void* request, ucs_status_t status, size_t bytes, void* operation);
  static void ConnectionCallback(ucp_conn_request_h request, void* self);
  static void ErrorCallback(void* self, ucp_ep_h handle, ucs_status_t status);

  const UcxOptions options_;
  const ucp_context_h context_;
  const UcpWorker worker_;
  const int event_fd_;  // UCX's own
  UcpListener listener_;
  sockaddr_in listening_{};
  std::unique_ptr<TcpListenerGuard> guard_;  // over TCP, where the kernel grants it
  Handler* handler_ = nullptr;               // only within Poll
  bool ending_ = false;                      // nobody is accepted any more
  uint64_t next_endpoint_ = 1;
  absl::flat_hash_map<EndpointId, std::unique_ptr<Endpoint>> endpoints_;  // at most kEndpointsMax
  absl::flat_hash_map<ucp_ep_h, Endpoint*> by_handle_;
  std::vector<std::unique_ptr<Operation>> operations_;  // all ever made; bounded by those in flight
  std::vector<Operation*> free_operations_;
  std::vector<ucp_conn_request_h> pending_connections_;
  std::vector<EndpointId> pending_closes_;
  std::vector<EndpointId> pending_failures_;
  std::vector<Ended> ended_;
  std::vector<Ended> telling_;
  size_t events_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_UCX_UCX_WORKER_H_
