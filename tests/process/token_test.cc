// Who may speak on the data plane, tried message by message without our client.
#include <optional>

#include "cairn/v1/coordinator.pb.h"
#include "proto/block_key.h"
#include "proto/wire.h"
#include "server/cli/control_call.h"
#include "tests/process/cluster_test.h"
#include "transport/silent_handler.h"

namespace cairn::process {
namespace {

constexpr int64_t kHour_s = 3600;
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr size_t kBlocks = 8;

using Bytes = std::vector<std::byte>;

// One connection to a node.
class Peer final : public SilentHandler {
 public:
  Peer(Network& network, const std::string& node)
      : worker_(network.CreateWorker().value()), endpoint_(worker_->Connect(node).value()) {}

  void Send(absl::Span<const std::byte> message) {
    EXPECT_TRUE(worker_->SendMessage(endpoint_, message).ok());
  }
  // The next message; empty: the node closed the connection, or is silent.
  Bytes Receive() {
    Await([this] { return received_.has_value() || failed_; });
    return std::exchange(received_, std::nullopt).value_or(Bytes());
  }
  bool IsClosed() {
    Await([this] { return failed_; });
    return failed_;
  }

 private:
  void Await(const std::function<bool()>& done) {
    Eventually(kPatience, [&] {
      worker_->Poll(*this);
      return done();
    });
  }
  void OnMessage(EndpointId, absl::Span<const std::byte> message) override {
    received_.emplace(message.begin(), message.end());
  }
  Landing OnBulkArrival(EndpointId, absl::Span<const std::byte>, uint64_t) override {
    ADD_FAILURE() << "nobody asked for bytes";
    return Landing::Refuse();
  }
  void OnFailed(EndpointId, const absl::Status&) override { failed_ = true; }

  const std::unique_ptr<Worker> worker_;
  const EndpointId endpoint_;
  std::optional<Bytes> received_;
  bool failed_ = false;
};

class Tokens : public ClusterTest {
 protected:
  void SetUp() override {
    Start(1, 128u << 20);
    // The coordinator's own key: what it would sign, and what it never would.
    auto loaded = TokenSigner::LoadOrCreate(cluster->state_folder("coordinator") + "/token_key",
                                            RealDisk(), RealRandom());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    signer.emplace(*std::move(loaded));
    RealRandom().Fill(absl::MakeSpan(me.bytes));
  }
  TokenClaims Good(TenantId tenant) const {
    const int64_t now_unix_s = RealClock().UnixSeconds();
    return {tenant, kRightRead | kRightWrite, now_unix_s, now_unix_s + kHour_s, me};
  }
  TenantId DefaultTenant() {
    v1::ListTenantsRequest request;
    const auto admin = RealDisk().ReadFile(cluster->admin_file());
    request.set_admin_credential(admin->substr(0, admin->find('\n')));
    const auto reply = ControlCall<v1::ListTenantsReply>(
        *network, cluster->coordinator(), "/cairn.v1.Coordinator/ListTenants", request);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? reply->tenants(0).id() : 0;
  }
  wire::Hello MakeHello(const TokenBytes& token) const {
    wire::Hello hello{};
    wire::Seal(hello, wire::MessageType::kHello);
    hello.version_min = hello.version_max = wire::kWireVersion;
    hello.lane = static_cast<uint16_t>(wire::Lane::kControl);
    hello.client = me;
    hello.token = token;
    return hello;
  }
  static wire::MissReason StatusOf(const Bytes& reply) {
    const auto decoded = wire::DecodeHelloReply(reply);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    if (!decoded.ok()) return wire::MissReason::kMax;
    return static_cast<wire::MissReason>(uint16_t{(*decoded)->status});
  }

  std::optional<TokenSigner> signer;
  ClientId me;
};

TEST_F(Tokens, EveryBadOneIsRefusedInTheSameWords) {
  std::array<std::byte, 32> seed;
  RealRandom().Fill(absl::MakeSpan(seed));
  const auto forger = TokenSigner::FromSeed(seed);
  ASSERT_TRUE(forger.ok());
  const TokenClaims good = Good(1);
  TokenClaims expired = good, early = good, stolen = good;
  expired.not_before_unix_s -= 2 * kHour_s;
  expired.expiry_unix_s -= kHour_s + 2 * kTokenClockSkew_s;
  early.not_before_unix_s += kHour_s;
  stolen.client.bytes[0] ^= std::byte{1};
  TokenBytes tampered = signer->Sign(good);
  tampered[20] ^= std::byte{1};
  const std::vector<TokenBytes> bad = {TokenBytes{},          forger->Sign(good),
                                       signer->Sign(expired), signer->Sign(early),
                                       signer->Sign(stolen),  tampered};
  std::optional<Bytes> refusal;
  for (const TokenBytes& token : bad) {
    Peer peer(*network, cluster->node_data()[0]);
    peer.Send(wire::AsBytes(MakeHello(token)));
    const Bytes reply = peer.Receive();
    EXPECT_EQ(StatusOf(reply), wire::MissReason::kSession);
    EXPECT_EQ(reply, refusal.value_or(reply));
    refusal = reply;
    EXPECT_TRUE(peer.IsClosed());
  }
  EXPECT_EQ(Sum("cairn_refused_hellos_total"), bad.size());
  Peer peer(*network, cluster->node_data()[0]);
  peer.Send(wire::AsBytes(MakeHello(signer->Sign(good))));
  EXPECT_EQ(StatusOf(peer.Receive()), wire::MissReason::kNone);
}

// What is asked of a node after, or instead of, a Hello.
class Questions : public Tokens {
 protected:
  void SetUp() override {
    Tokens::SetUp();
    if (HasFatalFailure()) return;
    owner = ConnectEngine();
    ASSERT_NE(owner, nullptr);
    stored = owner->Keys(1, kBlocks);
    absent = owner->Keys(2, kBlocks);
    ASSERT_EQ(owner->Put(stored, absl::Seconds(2)).ok, kBlocks);
  }
  // The node's answer to the Hello of a tenant's client.
  uint64_t Open(Peer& peer, TenantId tenant) const {
    peer.Send(wire::AsBytes(MakeHello(signer->Sign(Good(tenant)))));
    const Bytes reply = peer.Receive();
    EXPECT_EQ(StatusOf(reply), wire::MissReason::kNone);
    return reply.empty() ? 0 : uint64_t{(*wire::DecodeHelloReply(reply))->incarnation};
  }
  template <typename Head, typename Item>
  static Bytes Join(Head& head, wire::MessageType type, const std::vector<Item>& items) {
    const auto tail = absl::MakeSpan(reinterpret_cast<const std::byte*>(items.data()),
                                     items.size() * sizeof(Item));
    wire::Seal(head, type, tail.size());
    const auto front = wire::AsBytes(head);
    Bytes message(front.begin(), front.end());
    message.insert(message.end(), tail.begin(), tail.end());
    return message;
  }
  Bytes MakePin(uint64_t incarnation, const std::vector<BlockKey>& keys) const {
    wire::Pin pin{};
    pin.request = pin.lease = 1;
    pin.incarnation = incarnation;
    pin.ns = ns;
    pin.block_count = static_cast<uint32_t>(keys.size());
    pin.lease_ms = 1000;
    pin.budget_us = 1'000'000;
    return Join(pin, wire::MessageType::kPin, keys);
  }
  Bytes MakeFetch(uint64_t incarnation, const std::vector<BlockKey>& keys) const {
    std::vector<wire::FetchBlock> blocks(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      blocks[i].key = keys[i];
      blocks[i].length = EngineOptions().block_bytes;
    }
    wire::Fetch fetch{};
    fetch.request = 1;
    fetch.incarnation = incarnation;
    fetch.ns = ns;
    fetch.budget_us = 1'000'000;
    fetch.block_count = static_cast<uint32_t>(keys.size());
    return Join(fetch, wire::MessageType::kFetch, blocks);
  }
  // All that a client of the tenant hears when it asks for these blocks.
  Bytes Hear(TenantId tenant, const std::vector<BlockKey>& keys) {
    Bytes heard;
    for (const bool pins : {true, false}) {
      Peer peer(*network, cluster->node_data()[0]);
      const uint64_t incarnation = Open(peer, tenant);
      peer.Send(pins ? MakePin(incarnation, keys) : MakeFetch(incarnation, keys));
      const Bytes reply = peer.Receive();
      EXPECT_FALSE(reply.empty());
      heard.insert(heard.end(), reply.begin(), reply.end());
    }
    return heard;
  }

  std::unique_ptr<Engine> owner;
  std::vector<BlockKey> stored;
  std::vector<BlockKey> absent;
  const NamespaceId ns = *MakeNamespaceId(EngineNamespace(EngineOptions().block_bytes));
};

TEST_F(Questions, BeforeAGoodHelloEndTheConnectionUnanswered) {
  Peer peer(*network, cluster->node_data()[0]);
  peer.Send(MakePin(1, stored));
  EXPECT_TRUE(peer.Receive().empty());
  EXPECT_TRUE(peer.IsClosed());
  EXPECT_EQ(owner->Get(stored, absl::Seconds(2)).ok, kBlocks);
}

TEST_F(Questions, AboutAnotherTenantsBlocksAreAnsweredAsAboutAbsentOnes) {
  const TenantId own = DefaultTenant();
  const TenantId other = own + 1;
  EXPECT_EQ(Hear(other, stored), Hear(other, absent));
  // The same question by its owner is answered otherwise.
  Peer peer(*network, cluster->node_data()[0]);
  peer.Send(MakePin(Open(peer, own), stored));
  const Bytes reply = peer.Receive();
  const auto held = wire::DecodePinReply(reply);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ((*held)->held[0], std::byte{0xff});
}

}  // namespace
}  // namespace cairn::process
