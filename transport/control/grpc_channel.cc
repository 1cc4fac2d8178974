#include "transport/control/grpc_channel.h"

#include <thread>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "base/event_fd.h"
#include "base/mutex.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr int kReconnectMin_ms = 100;  // a restarted coordinator is found again within a heartbeat
constexpr int kReconnectMax_ms = 2000;
// For the whole handshake, TLS included: four round trips to another continent.
constexpr int kConnectTimeout_ms = 2000;

struct CallState;

struct Reply {
  ControlChannel::Done done;
  absl::StatusOr<std::string> bytes;
};

// Where a channel's replies wait to be polled, and the calls that have none yet. Lives on with the
// calls that outlive the channel; their replies are dropped.
class Inbox {
 public:
  explicit Inbox(EventFd event) : event_(std::move(event)) {}

  void Begin(CallState* call) {
    MutexLock lock(mutex_);
    calls_.insert(call);
  }
  // call: null for one that never began.
  void End(CallState* call, Reply reply) {
    {
      MutexLock lock(mutex_);
      calls_.erase(call);
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
  void Close();
  int descriptor() const { return event_.fd(); }

 private:
  EventFd event_;
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  // Both together at most kControlCallsInFlightMax.
  absl::flat_hash_set<CallState*> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<Reply> replies_ ABSL_GUARDED_BY(mutex_);
};

// One call in flight; gRPC needs all of it until its end. Its address is its tag.
struct CallState {
  grpc::ClientContext context;
  grpc::ByteBuffer reply;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  ControlChannel::Done done;
  std::shared_ptr<Inbox> inbox;
  std::shared_ptr<const TlsOptions> tls;
};

void Inbox::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  replies_.clear();
  for (CallState* call : calls_) call->context.TryCancel();
}

absl::StatusOr<std::string> ToBytes(const CallState& call) {
  const grpc::Status& status = call.status;
  if (!status.ok()) {
    return absl::Status(
        static_cast<absl::StatusCode>(status.error_code()),
        absl::StrCat(status.error_message(), TlsAdvice(*call.tls, status.error_message())));
  }
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!call.reply.Dump(&slices).ok()) return absl::InternalError("the reply cannot be read");
  bytes.reserve(call.reply.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

class GrpcCallsImpl final : public GrpcCalls {
 public:
  GrpcCallsImpl() : thread_([this] { Run(); }) {}
  ~GrpcCallsImpl() override {
    queue_.Shutdown();
    thread_.join();
  }
  grpc::CompletionQueue& queue() { return queue_; }

 private:
  void Run() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      const std::unique_ptr<CallState> call(static_cast<CallState*>(tag));
      call->inbox->End(call.get(), {std::move(call->done), ToBytes(*call)});
    }
  }

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

grpc::GenericStub Connect(const std::string& address, bool with_tls, const TlsTexts& texts) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (with_tls) {
    credentials = grpc::SslCredentials({texts.authorities, texts.pair.key, texts.pair.certificate});
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMin_ms);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeout_ms);  // despite its name
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMax_ms);
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, static_cast<int>(kControlMessageBytesMax));
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::GenericStub(grpc::CreateCustomChannel(address, credentials, arguments));
}

class GrpcChannel final : public ControlChannel {
 public:
  GrpcChannel(const std::string& address, const TlsOptions& tls, const TlsRenewal& renewal,
              EventFd event, grpc::CompletionQueue& queue)
      : address_(address),
        tls_(std::make_shared<const TlsOptions>(tls)),
        renewal_(renewal),
        texts_(renewal.texts()),
        stub_(Connect(address, tls.enabled(), *texts_)),
        queue_(queue),
        inbox_(std::make_shared<Inbox>(std::move(event))) {}
  ~GrpcChannel() override { inbox_->Close(); }

  void Call(const std::string& method, std::string request, absl::Duration timeout,
            Done done) override {
    ++in_flight_;
    if (in_flight_ > kControlCallsInFlightMax) {
      inbox_->End(nullptr,
                  {std::move(done), absl::ResourceExhaustedError("too many calls in flight")});
      return;
    }
    auto call = std::make_unique<CallState>();
    call->context.set_deadline(std::chrono::system_clock::now() +
                               absl::ToChronoMicroseconds(timeout));
    call->done = std::move(done);
    call->inbox = inbox_;
    call->tls = tls_;
    TakeUpRenewal();
    grpc::Slice slice(request);
    call->reader =
        stub_.PrepareUnaryCall(&call->context, method, grpc::ByteBuffer(&slice, 1), &queue_);
    inbox_->Begin(call.get());
    call->reader->StartCall();
    CallState* const started = call.release();  // GrpcCalls' from here on
    started->reader->Finish(&started->reply, &started->status, started);
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
  // A call keeps the gRPC channel that it began on.
  void TakeUpRenewal() {
    std::shared_ptr<const TlsTexts> texts = renewal_.texts();
    if (texts == texts_) return;
    texts_ = std::move(texts);
    stub_ = Connect(address_, tls_->enabled(), *texts_);
  }

  const std::string address_;
  const std::shared_ptr<const TlsOptions> tls_;  // calls outlive the channel
  const TlsRenewal& renewal_;
  std::shared_ptr<const TlsTexts> texts_;  // that stub_ connects with
  grpc::GenericStub stub_;
  grpc::CompletionQueue& queue_;
  const std::shared_ptr<Inbox> inbox_;
  size_t in_flight_ = 0;
};

}  // namespace

std::unique_ptr<GrpcCalls> GrpcCalls::Create() { return std::make_unique<GrpcCallsImpl>(); }

absl::StatusOr<std::unique_ptr<ControlChannel>> OpenGrpcChannel(const std::string& address,
                                                                const TlsOptions& tls,
                                                                const TlsRenewal& renewal,
                                                                GrpcCalls& calls) {
  CAIRN_ASSIGN_OR_RETURN(EventFd event, EventFd::Create());
  return std::make_unique<GrpcChannel>(address, tls, renewal, std::move(event),
                                       static_cast<GrpcCallsImpl&>(calls).queue());
}

}  // namespace cairn
