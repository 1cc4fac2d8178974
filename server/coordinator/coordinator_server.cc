#include "server/coordinator/coordinator_server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "base/loopback.h"
#include "base/mutex.h"
#include "base/status.h"
#include "cairn/v1/coordinator.grpc.pb.h"
#include "server/coordinator/grpc_bytes.h"
#include "server/coordinator/renewed_credentials.h"
#include "server/coordinator/waiting_calls.h"
#include "server/coordinator/watch_call.h"
#include "transport/control/pem_file.h"
#include "transport/control/tls_renewal.h"

namespace cairn {
namespace {

constexpr int kMessageBytesMax = 16 << 20;
constexpr auto kStepInterval = std::chrono::milliseconds(100);
constexpr auto kShutdownGrace = std::chrono::seconds(1);

absl::StatusOr<TlsTexts> ReadServerTls(const CoordinatorServerOptions& options) {
  TlsTexts texts;
  CAIRN_ASSIGN_OR_RETURN(texts.pair,
                         ReadPemPair({"tls_certificate_file", options.tls_certificate_file},
                                     {"tls_key_file", options.tls_key_file}));
  if (!options.tls_client_ca_file.empty()) {
    CAIRN_ASSIGN_OR_RETURN(texts.authorities,
                           ReadPemCertificates({"tls_client_ca_file", options.tls_client_ca_file}));
  }
  return texts;
}

// One unary call: read the request, hand it to the coordinator, write the reply. Owns itself.
class Call final : public grpc::ServerGenericBidiReactor {
 public:
  Call(const std::string& method, Coordinator& coordinator, WaitingCalls& waiting)
      : method_(method), coordinator_(coordinator), waiting_(waiting) {
    const MutexLock lock(mutex_);
    StartRead(&request_);
  }

 private:
  void OnReadDone(bool ok) override {
    const MutexLock lock(mutex_);
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no request"));
    if (!coordinator_.AsksRegistry(method_)) return Answer();
    const auto answer_later = [this] {
      const MutexLock later(mutex_);
      Answer();
    };
    if (waiting_.Run(answer_later)) return;
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "too many calls wait for the registry; does its disk answer?"));
  }
  void OnDone() override {
    {
      const MutexLock lock(mutex_);
    }
    delete this;
  }

  void Answer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::StatusOr<std::string> reply = coordinator_.Handle(method_, ToString(request_));
    if (!reply.ok()) return Finish(ToGrpc(reply.status()));
    reply_ = ToByteBuffer(*reply);
    StartWriteAndFinish(&reply_, grpc::WriteOptions(), grpc::Status::OK);
  }

  const std::string method_;
  Coordinator& coordinator_;
  WaitingCalls& waiting_;
  Mutex mutex_;  // gRPC's callbacks follow each other, each on a thread of its own
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Coordinator& coordinator) : coordinator_(coordinator) {}

  // gRPC's contract: the reactor deletes itself.
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* call) override {
    if (call->method() == kWatchMethod) return new WatchCall(*call, coordinator_, stopping_);
    return new Call(call->method(), coordinator_, waiting_);
  }
  // Ends the calls that would not end by themselves.
  void Stop() { stopping_ = true; }

 private:
  Coordinator& coordinator_;
  WaitingCalls waiting_;
  std::atomic<bool> stopping_ = false;
};

class CoordinatorServerImpl final : public CoordinatorServer {
 public:
  explicit CoordinatorServerImpl(Coordinator& coordinator)
      : coordinator_(coordinator), service_(coordinator) {}

  ~CoordinatorServerImpl() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (stepper_.joinable()) stepper_.join();
    service_.Stop();
    if (server_ != nullptr) {
      server_->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
      server_->Wait();
    }
  }

  absl::Status Listen(const CoordinatorServerOptions& options) {
    CAIRN_RETURN_IF_ERROR(options.Validate());
    CAIRN_RETURN_IF_ERROR(MakeCredentials(options));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options.listen_address, credentials_, &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(kMessageBytesMax);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(
          absl::StrCat("listen: cannot bind ", options.listen_address,
                       "; is another process using the port? choose another or port 0"));
    }
    address_ = absl::StrCat(options.listen_address.substr(0, options.listen_address.rfind(':')),
                            ":", port);
    stepper_ = std::thread([this] { StepUntilStopped(); });
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }

 private:
  absl::Status MakeCredentials(const CoordinatorServerOptions& options) {
    if (options.tls_certificate_file.empty()) return absl::OkStatus();
    CAIRN_ASSIGN_OR_RETURN(renewal_,
                           TlsRenewal::Create([options] { return ReadServerTls(options); }));
    watch_.emplace(*renewal_);
    credentials_ = RenewedServerCredentials(*renewal_);
    return absl::OkStatus();
  }

  void StepUntilStopped() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!wake_.wait_for(lock, kStepInterval, [this] { return stopping_; })) {
      coordinator_.Step();
    }
  }

  Coordinator& coordinator_;
  Service service_;
  std::unique_ptr<TlsRenewal> renewal_;
  std::optional<TlsWatch> watch_;
  std::shared_ptr<grpc::ServerCredentials> credentials_ = grpc::InsecureServerCredentials();
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread stepper_;
};

}  // namespace

absl::Status CoordinatorServerOptions::Validate() const {
  const bool tls = !tls_certificate_file.empty();
  if (tls == tls_key_file.empty()) {
    return absl::InvalidArgumentError(
        "tls_certificate_file and tls_key_file: give both or neither");
  }
  if (!tls && !tls_client_ca_file.empty()) {
    return absl::InvalidArgumentError(
        "tls_client_ca_file: given without TLS, so nobody would be asked for a certificate; give "
        "tls_certificate_file and tls_key_file, too");
  }
  if (!absl::StrContains(listen_address, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen: \"", listen_address, "\" must be ip:port, e.g. 127.0.0.1:7400"));
  }
  if (!tls && !insecure && !IsLoopback(listen_address)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "listen: ", listen_address,
        " is beyond loopback without TLS; give tls_certificate_file and tls_key_file, or "
        "--insecure true inside a trusted fabric"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    const CoordinatorServerOptions& options, Coordinator& coordinator) {
  auto server = std::make_unique<CoordinatorServerImpl>(coordinator);
  CAIRN_RETURN_IF_ERROR(server->Listen(options));
  return server;
}

}  // namespace cairn
