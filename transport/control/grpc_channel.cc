#include "transport/control/grpc_channel.h"

#include <vector>

#include <absl/strings/str_cat.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "base/disk.h"
#include "base/event_fd.h"
#include "base/mutex.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr int kReconnectMin_ms = 100;  // a restarted coordinator is found again within a heartbeat
constexpr int kReconnectMax_ms = 2000;

struct Reply {
  ControlChannel::Done done;
  absl::StatusOr<std::string> bytes;
};

// Where gRPC's threads leave replies. Calls that outlive the channel keep it alive and are dropped.
class Inbox {
 public:
  explicit Inbox(EventFd event) : event_(std::move(event)) {}

  void Put(Reply reply) {
    {
      MutexLock lock(mutex_);
      if (closed_) return;
      replies_.push_back(std::move(reply));
    }
    event_.Signal();
  }
  std::vector<Reply> TakeAll() {
    event_.Drain();
    MutexLock lock(mutex_);
    return std::exchange(replies_, {});
  }
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    replies_.clear();
  }
  int descriptor() const { return event_.fd(); }

 private:
  EventFd event_;
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Reply> replies_ ABSL_GUARDED_BY(mutex_);  // at most kControlCallsInFlightMax
};

// One call in flight; gRPC needs all of it until the callback.
struct CallState {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer reply;
  ControlChannel::Done done;
};

absl::StatusOr<std::string> ToBytes(const grpc::Status& status, const grpc::ByteBuffer& buffer) {
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return absl::InternalError("the reply cannot be read");
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

class GrpcChannel final : public ControlChannel {
 public:
  GrpcChannel(const std::string& address, std::shared_ptr<grpc::Channel> channel, EventFd event)
      : address_(address),
        stub_(std::move(channel)),
        inbox_(std::make_shared<Inbox>(std::move(event))) {}
  ~GrpcChannel() override { inbox_->Close(); }

  void Call(const std::string& method, std::string request, absl::Duration timeout,
            Done done) override {
    if (in_flight_ == kControlCallsInFlightMax) {
      inbox_->Put({std::move(done), absl::ResourceExhaustedError("too many calls in flight")});
      ++in_flight_;
      return;
    }
    ++in_flight_;
    auto call = std::make_shared<CallState>();
    grpc::Slice slice(request);
    call->request = grpc::ByteBuffer(&slice, 1);
    call->context.set_deadline(std::chrono::system_clock::now() +
                               absl::ToChronoMicroseconds(timeout));
    call->done = std::move(done);
    stub_.UnaryCall(&call->context, method, grpc::StubOptions(), &call->request, &call->reply,
                    [call, inbox = inbox_](const grpc::Status& status) {
                      inbox->Put({std::move(call->done), ToBytes(status, call->reply)});
                    });
  }

  size_t Poll() override {
    std::vector<Reply> replies = inbox_->TakeAll();
    in_flight_ -= replies.size();
    for (Reply& reply : replies) reply.done(std::move(reply.bytes));
    return replies.size();
  }

  int event_fd() const override { return inbox_->descriptor(); }
  const std::string& address() const override { return address_; }

 private:
  const std::string address_;
  grpc::GenericStub stub_;
  const std::shared_ptr<Inbox> inbox_;
  size_t in_flight_ = 0;
};

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> text = RealDisk().ReadFile(path);
  if (!text.ok()) return absl::InvalidArgumentError(absl::StrCat("TLS: ", text.status().message()));
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlChannel>> OpenGrpcChannel(const std::string& address,
                                                                const TlsOptions& tls) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (tls.enabled()) {
    grpc::SslCredentialsOptions ssl;
    CAIRN_ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadPem(tls.ca_file));
    CAIRN_ASSIGN_OR_RETURN(ssl.pem_cert_chain, ReadPem(tls.certificate_file));
    CAIRN_ASSIGN_OR_RETURN(ssl.pem_private_key, ReadPem(tls.key_file));
    credentials = grpc::SslCredentials(ssl);
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMin_ms);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMin_ms);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMax_ms);
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, static_cast<int>(kControlMessageBytesMax));
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  CAIRN_ASSIGN_OR_RETURN(EventFd event, EventFd::Create());
  return std::make_unique<GrpcChannel>(
      address, grpc::CreateCustomChannel(address, credentials, arguments), std::move(event));
}

}  // namespace cairn
