// One production node in the simulation, without a coordinator, and the clients that try it.
#ifndef CAIRN_TESTS_SERVER_NODE_NODE_FIXTURE_H_
#define CAIRN_TESTS_SERVER_NODE_NODE_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "cache/shard.h"
#include "cache/shard_counters.h"
#include "server/node/node.h"
#include "tests/server/node/wire_client.h"

namespace cairn::testing {

struct NodeFixture : ::testing::Test {
  static constexpr char kNodeIp[] = "10.0.2.1";
  static constexpr char kCoordinator[] = "10.0.1.1:7400";  // nobody answers there
  static constexpr TenantId kTenant = 1;

  NodeFixture() {
    options.coordinators = {kCoordinator};
    options.listen_address = absl::StrCat(kNodeIp, ":7500");
    options.state_folder = "node";
    options.capacity_bytes = 64u << 20;
    options.huge_pages = false;
    options.chunk_bytes = 64u << 10;
    options.trusted_keys = {signer.public_key()};
  }

  static TokenSigner MakeSigner(uint64_t seed) {
    std::array<std::byte, 32> bytes;
    SeededRandom(seed).Fill(absl::MakeSpan(bytes));
    return *TokenSigner::FromSeed(bytes);
  }

  // With the options as they stand; the first client starts it otherwise.
  void Start() {
    Runtime runtime = node_host.runtime();
    auto created = Node::Create(options, runtime);
    ASSERT_TRUE(created.ok()) << created.status();
    node = *std::move(created);
    for (size_t i = 0; i < node->reactor_count(); ++i) {
      node_host.Run([this, i] { return node->PollReactor(i); });
    }
    node_host.Run([this] { return node->PollAgent(); });
    RunFor(absl::Milliseconds(10));
  }

  TokenClaims Claims(uint64_t client, TenantId tenant = kTenant,
                     uint32_t rights = kRightRead | kRightWrite) {
    TokenClaims claims;
    claims.tenant = tenant;
    claims.rights = rights;
    claims.not_before_unix_s = node_host.clock().UnixSeconds();
    claims.expiry_unix_s = claims.not_before_unix_s + 600;
    claims.client.bytes[0] = static_cast<std::byte>(client);
    return claims;
  }
  // On a machine of its own.
  std::unique_ptr<WireClient> NewClient(const TokenClaims& claims) {
    if (node == nullptr) Start();
    SimHost& host = world.AddHost(absl::StrCat("10.0.3.", ++clients));
    return std::make_unique<WireClient>(host, options.listen_address, signer, claims);
  }
  std::unique_ptr<WireClient> OpenClient(const TokenClaims& claims) {
    auto client = NewClient(claims);
    client->Open();
    EXPECT_TRUE(Until([&] { return client->open(); }));
    return client;
  }
  std::unique_ptr<WireClient> OpenClient(uint64_t number, TenantId tenant = kTenant) {
    return OpenClient(Claims(number, tenant));
  }

  void RunFor(absl::Duration duration) { world.scheduler().RunFor(duration); }
  bool Until(const std::function<bool()>& done, absl::Duration limit = absl::Seconds(10)) {
    return world.scheduler().RunUntilTrue(done, limit);
  }
  // Stores the first `count` blocks of a chain and waits for it.
  void Store(WireClient& client, uint64_t chain, uint32_t count) {
    const uint64_t first = next_request;
    for (uint32_t i = 0; i < count; ++i) client.PutChain(next_request++, chain, i);
    for (uint64_t request = first; request < next_request; ++request) {
      ASSERT_EQ(PutAnswer(client, request), wire::MissReason::kNone) << request - first;
    }
  }
  wire::MissReason PutAnswer(WireClient& client, uint64_t request) {
    const auto& replies = client.heard().put_replies;
    EXPECT_TRUE(Until([&] { return replies.contains(request); }));
    const auto found = replies.find(request);
    if (found == replies.end()) return wire::MissReason::kMax;
    return static_cast<wire::MissReason>(uint16_t{found->second.status});
  }
  // Why block 0 of a fetch did not come.
  wire::MissReason FetchFailure(WireClient& client, uint64_t request) {
    const auto& failures = client.heard().fetch_failures;
    EXPECT_TRUE(Until([&] { return failures.contains(request); }));
    const auto found = failures.find(request);
    return found == failures.end() ? wire::MissReason::kNone : found->second.at(0);
  }
  // The last pin's answer: its status, and how many leading blocks are held.
  wire::PinReply PinAnswer(WireClient& client) {
    const size_t before = client.heard().pin_replies.size();
    EXPECT_TRUE(Until([&] { return client.heard().pin_replies.size() > before; }));
    return client.heard().pin_replies.empty() ? wire::PinReply{}
                                              : client.heard().pin_replies.back();
  }

  const ShardCounters& counters() { return node->shard(0).counters(); }
  // A figure of the metrics text, whose name may carry labels; -1: not there.
  double Metric(const std::string& name) const {
    const std::string text = absl::StrCat("\n", node->MetricsText());
    const size_t found = text.find(absl::StrCat("\n", name, " "));
    double value = -1;
    if (found == std::string::npos) return value;
    const size_t begin = found + name.size() + 2;
    EXPECT_TRUE(absl::SimpleAtod(text.substr(begin, text.find('\n', begin) - begin), &value));
    return value;
  }
  double Refused(const char* reason) const {
    return Metric(absl::StrCat("cairn_refused_blocks_total{reason=\"", reason, "\"}"));
  }

  SimWorld world{{}};
  SimHost& coordinator_host = world.AddHost("10.0.1.1");
  SimHost& node_host = world.AddHost(kNodeIp);
  TokenSigner signer = MakeSigner(1);
  NodeOptions options;
  std::unique_ptr<Node> node;
  int clients = 0;
  uint64_t next_request = 1;
};

}  // namespace cairn::testing

#endif  // CAIRN_TESTS_SERVER_NODE_NODE_FIXTURE_H_
