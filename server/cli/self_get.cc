#include "server/cli/self_get.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <absl/time/clock.h>

#include "base/log.h"
#include "base/status.h"
#include "cairn/v1/coordinator.pb.h"
#include "client/client.h"
#include "transport/network.h"

namespace cairn {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(500);
constexpr absl::Duration kDeadline = absl::Seconds(1);
constexpr int kFailuresMax = 3;  // in a row; one may be a busy moment
constexpr absl::Duration kTokenLife = absl::Hours(1);

// Answers in this process what a coordinator would: the token, and that a key is at the reactor
// whose number is its first byte.
class OwnCoordinator final : public ControlChannel {
 public:
  OwnCoordinator(const Node& node, const TokenSigner& signer, Clock& clock)
      : node_(node), signer_(signer), clock_(clock) {}

  void Call(const std::string& method, std::string request, absl::Duration, Done done) override {
    const bool opens = method == "/cairn.v1.Coordinator/OpenSession";
    answers_.emplace_back(std::move(done), opens ? OpenSession(request) : Locate(request));
  }
  size_t Poll() override {
    const auto answers = std::exchange(answers_, {});
    for (const auto& [done, reply] : answers) done(reply);
    return answers.size();
  }
  int event_fd() const override { return -1; }
  const std::string& address() const override { return address_; }

 private:
  std::string OpenSession(const std::string& bytes) const {
    v1::OpenSessionRequest request;
    TokenClaims claims;
    claims.tenant = kSelfTenant;
    claims.rights = kRightRead;
    claims.not_before_unix_s = clock_.UnixSeconds();
    claims.expiry_unix_s = claims.not_before_unix_s + absl::ToInt64Seconds(kTokenLife);
    if (request.ParseFromString(bytes) && request.client_id().size() == sizeof(ClientId)) {
      std::memcpy(claims.client.bytes.data(), request.client_id().data(), sizeof(ClientId));
    }
    const TokenBytes token = signer_.Sign(claims);
    v1::OpenSessionReply reply;
    reply.set_token(token.data(), token.size());
    reply.set_expires_in_ms(absl::ToInt64Milliseconds(kTokenLife));
    return reply.SerializeAsString();
  }

  std::string Locate(const std::string& bytes) const {
    v1::LocateRequest request;
    v1::LocateReply reply;
    if (!request.ParseFromString(bytes) || request.keys().empty()) return {};
    auto& self = *reply.add_nodes();
    self.set_node_id(node_.id().bytes.data(), node_.id().bytes.size());
    self.set_incarnation(node_.incarnation());
    for (const std::string& address : node_.reactor_addresses()) {
      self.add_reactor_addresses(address);
    }
    auto& run = *reply.add_available();
    run.set_count(1);
    run.set_reactor(static_cast<uint8_t>(request.keys()[0]));
    return reply.SerializeAsString();
  }

  const Node& node_;
  const TokenSigner& signer_;
  Clock& clock_;
  const std::string address_ = "self";
  std::vector<std::pair<Done, std::string>> answers_;  // bounded by the client's calls in flight
};

class OwnNetwork final : public Network {
 public:
  OwnNetwork(Network& network, const Node& node, const TokenSigner& signer, Clock& clock)
      : network_(network), node_(node), signer_(signer), clock_(clock) {}

  absl::StatusOr<std::unique_ptr<Worker>> CreateWorker() override {
    return network_.CreateWorker();
  }
  absl::StatusOr<std::unique_ptr<ControlChannel>> OpenControlChannel(const std::string&) override {
    return std::make_unique<OwnCoordinator>(node_, signer_, clock_);
  }

 private:
  Network& network_;
  const Node& node_;
  const TokenSigner& signer_;
  Clock& clock_;
};

v1::Namespace SelfNamespace() {
  v1::Namespace ns;
  ns.set_model("cairn.self");
  ns.set_model_digest(std::string(32, '\0'));
  ns.set_kv_dtype("bf16");
  ns.set_layout("L2NHD");
  ns.set_layers(1);
  ns.set_kv_heads(1);
  ns.set_head_size(1);
  ns.set_tokens_per_block(1);
  ns.set_hash_scheme("cairn.self");
  ns.set_block_bytes(kBlockBytesMin);
  return ns;
}

// One get of a block that reactor `reactor` does not have.
class Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> Create(Runtime& runtime) {
    ClientOptions options;
    options.coordinators = {"self"};
    options.tenant = "self";
    options.location_cache_entries = 16;
    options.telemetry = false;
    auto reader = std::unique_ptr<Reader>(new Reader(runtime.clock));
    CAIRN_ASSIGN_OR_RETURN(reader->client_, Client::Start(options, SelfNamespace(), runtime));
    CAIRN_ASSIGN_OR_RETURN(reader->region_,
                           reader->client_->Register(absl::MakeSpan(reader->memory_)));
    return reader;
  }

  // False: no answer, or none of the node's.
  bool Get(size_t reactor, const std::atomic<bool>& stopping) {
    const std::array<Extents, 1> extents = {{{.size_bytes = kBlockBytesMin}}};
    std::array<Transfer, 1> get;
    get[0].key.bytes[0] = static_cast<std::byte>(reactor);
    get[0].region = region_.get();
    get[0].extents = extents;
    const Instant deadline = clock_.Now() + kDeadline;
    if (!client_->Get(get, LeaseId::kNone, deadline).ok()) return false;
    std::array<Completion, 1> completion;
    while (client_->Poll(absl::MakeSpan(completion)) == 0) {
      if (stopping.load()) return true;
      absl::SleepFor(absl::Milliseconds(1));
    }
    return completion[0].reason == wire::MissReason::kAbsent;
  }

 private:
  explicit Reader(Clock& clock) : clock_(clock), memory_(kBlockBytesMin) {}

  Clock& clock_;
  std::vector<std::byte> memory_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<MemoryRegion> region_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelfGet>> SelfGet::Create(Runtime& runtime) {
  std::array<std::byte, 32> seed;
  runtime.random.Fill(absl::MakeSpan(seed));
  CAIRN_ASSIGN_OR_RETURN(TokenSigner signer, TokenSigner::FromSeed(seed));
  return std::unique_ptr<SelfGet>(new SelfGet(std::move(signer), runtime));
}

SelfGet::~SelfGet() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

void SelfGet::Begin(Node& node) {
  node.SetSelfGetWorks(false);
  thread_ = std::thread([this, &node] { Run(node); });
}

void SelfGet::Run(Node& node) {
  OwnNetwork network(runtime_.network, node, signer_, runtime_.clock);
  Runtime runtime{runtime_.clock, runtime_.random, runtime_.disk, network};
  const absl::StatusOr<std::unique_ptr<Reader>> reader = Reader::Create(runtime);
  if (!reader.ok()) {
    Log(LogLevel::kError, "self_get_impossible", {{"why", reader.status().message()}});
    return;
  }
  int failures = kFailuresMax;
  for (size_t i = 0; !stopping_.load(); ++i) {
    const bool answered = (*reader)->Get(i % node.reactor_count(), stopping_);
    const bool worked = failures < kFailuresMax;
    failures = answered ? 0 : failures + 1;
    const bool works = failures < kFailuresMax;
    node.SetSelfGetWorks(works);
    if (worked && !works) {
      Log(LogLevel::kWarning, "self_get_fails", {{"reactor", i % node.reactor_count()}});
    }
    const Instant next = runtime_.clock.Now() + kInterval;
    const bool again = answered && i + 1 >= node.reactor_count();
    while (again && !stopping_.load() && runtime_.clock.Now() < next) {
      absl::SleepFor(absl::Milliseconds(10));
    }
  }
}

}  // namespace cairn
