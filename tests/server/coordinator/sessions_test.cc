#include "server/coordinator/sessions.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/version.h"
#include "proto/credential.h"
#include "proto/wire.h"
#include "server/registry/sqlite_registry.h"
#include "tests/proto/sample_namespace.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::MakeId;
using ::testing::Not;
using testing::SampleNamespace;
using testing::ToBytes;

constexpr absl::Duration kLifetime = absl::Minutes(10);

struct SessionsTest : ::testing::Test {
  SessionsTest()
      : registry(OpenSqliteRegistry(":memory:", random).value()),
        tenant(registry->AddTenant({.name = "a", .inflight_bytes_max = 1234567}).value()),
        sessions(kLifetime, MakeSigner(7), registry->cluster_id().value(), clock) {}

  static TokenSigner MakeSigner(uint64_t seed) {
    std::array<std::byte, 32> bytes;
    SeededRandom(seed).Fill(absl::MakeSpan(bytes));
    return TokenSigner::FromSeed(bytes).value();
  }
  v1::OpenSessionRequest Request() const {
    const Credential credential = MakeCredential(tenant.secret);
    v1::OpenSessionRequest request;
    request.set_tenant(tenant.name);
    request.set_credential(credential.data(), credential.size());
    request.set_client_id(ToBytes(client));
    *request.mutable_ns() = SampleNamespace();
    request.set_rights(kRightRead | kRightWrite);
    return request;
  }
  absl::StatusOr<v1::OpenSessionReply> Open(const v1::OpenSessionRequest& request) {
    return sessions.Open(request, registry->FindTenant(request.tenant()));
  }
  std::string OpenToken() { return Open(Request()).value().token(); }
  // The claims as a node reads them.
  absl::StatusOr<TokenClaims> Verify(const std::string& token) {
    const PublicKey key = sessions.public_key();
    return VerifyToken({reinterpret_cast<const std::byte*>(token.data()), token.size()}, {&key, 1},
                       clock.UnixSeconds());
  }

  SeededRandom random{3};
  SimScheduler clock{1};
  const ClientId client = MakeId<ClientId>(5);
  std::unique_ptr<Registry> registry;
  TenantRecord tenant;
  Sessions sessions;
};

TEST_F(SessionsTest, ATokenSaysWhoMayDoWhatUntilWhen) {
  const v1::OpenSessionReply reply = Open(Request()).value();
  const TokenClaims claims = Verify(reply.token()).value();
  EXPECT_EQ(claims.tenant, tenant.id);
  EXPECT_EQ(claims.rights, kRightRead | kRightWrite);
  EXPECT_EQ(claims.client, client);
  EXPECT_EQ(claims.inflight_bytes_max, 1234567u);
  EXPECT_EQ(claims.expiry_unix_s - claims.not_before_unix_s, absl::ToInt64Seconds(kLifetime));
  EXPECT_EQ(reply.expires_in_ms(), absl::ToInt64Milliseconds(kLifetime));
  EXPECT_EQ(reply.tenant_id(), tenant.id);
  EXPECT_EQ(reply.inflight_bytes_max(), 1234567u);
  EXPECT_EQ(reply.cluster_id(), ToBytes(registry->cluster_id().value()));
  EXPECT_EQ(reply.namespace_id().size(), sizeof(NamespaceId));
  EXPECT_EQ(sessions.opened(), 1u);
}

TEST_F(SessionsTest, OneRightAskedForIsOneRightGiven) {
  for (const uint32_t rights : {kRightRead, kRightWrite}) {
    v1::OpenSessionRequest request = Request();
    request.set_rights(rights);
    EXPECT_EQ(Verify(Open(request).value().token()).value().rights, rights);
  }
}

TEST_F(SessionsTest, AnUnknownTenantAndAWrongCredentialAreToldAlike) {
  v1::OpenSessionRequest wrong = Request();
  (*wrong.mutable_credential())[31] ^= 1;
  v1::OpenSessionRequest short_credential = Request();
  short_credential.mutable_credential()->pop_back();
  v1::OpenSessionRequest unknown = Request();
  unknown.set_tenant("b");
  // The credential of no secret at all must not open a tenant that does not exist.
  v1::OpenSessionRequest unknown_empty = unknown;
  const Credential of_nothing = MakeCredential(TenantSecret{});
  unknown_empty.set_credential(of_nothing.data(), of_nothing.size());
  const absl::Status expected = Open(wrong).status();
  EXPECT_EQ(expected.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(expected.message()), Not(HasSubstr("\"a\"")));
  for (const auto& request : {short_credential, unknown, unknown_empty}) {
    EXPECT_EQ(Open(request).status(), expected);
  }
  EXPECT_EQ(sessions.opened(), 0u);
}

TEST_F(SessionsTest, ARemovedTenantOpensNoFurtherSession) {
  ASSERT_TRUE(registry->RemoveTenant("a").ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Open(Request()).status()));
}

TEST_F(SessionsTest, BadRequestsNameTheField) {
  v1::OpenSessionRequest no_rights = Request();
  no_rights.set_rights(0);
  v1::OpenSessionRequest unknown_rights = Request();
  unknown_rights.set_rights(kRightRead | 8);
  v1::OpenSessionRequest short_client = Request();
  short_client.set_client_id("short");
  v1::OpenSessionRequest no_block_bytes = Request();
  no_block_bytes.mutable_ns()->clear_block_bytes();
  const std::pair<v1::OpenSessionRequest, const char*> bad[] = {
      {no_rights, "rights"},
      {unknown_rights, "rights"},
      {short_client, "client_id"},
      {no_block_bytes, "block_bytes"},
  };
  for (const auto& [request, field] : bad) {
    const absl::Status status = Open(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
}

TEST_F(SessionsTest, AClientWithoutACommonVersionIsToldBothAndTheRemedy) {
  v1::OpenSessionRequest newer = Request();
  newer.set_client_version("9.8.7");
  newer.set_wire_version_min(wire::kWireVersion + 1);
  newer.set_wire_version_max(wire::kWireVersion + 2);
  const absl::Status refusal = Open(newer).status();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  const std::string text(refusal.message());
  EXPECT_THAT(text, HasSubstr("9.8.7"));
  EXPECT_THAT(text, HasSubstr(Version()));
  EXPECT_THAT(text, HasSubstr("upgrade the cluster"));
  EXPECT_EQ(sessions.opened(), 0u);
}

TEST_F(SessionsTest, OneCommonVersionIsEnough) {
  v1::OpenSessionRequest request = Request();
  request.set_wire_version_min(wire::kWireVersion);
  request.set_wire_version_max(wire::kWireVersion + 7);
  const v1::OpenSessionReply reply = Open(request).value();
  EXPECT_EQ(reply.server_version(), Version());
}

TEST_F(SessionsTest, AStrangerLearnsNothingAboutNamespacesAndVersions) {
  v1::OpenSessionRequest request = Request();
  request.mutable_credential()->clear();
  request.clear_ns();
  request.set_wire_version_min(wire::kWireVersion + 1);
  request.set_wire_version_max(wire::kWireVersion + 1);
  EXPECT_TRUE(absl::IsUnauthenticated(Open(request).status()));
}

TEST_F(SessionsTest, ATokenIsGoodUntilItsExpiryAndTheToleratedSkew) {
  const std::string token = OpenToken();
  EXPECT_EQ(sessions.Check(token).value().tenant, tenant.id);
  clock.RunFor(kLifetime + absl::Seconds(kTokenClockSkew_s - 1));
  EXPECT_TRUE(sessions.Check(token).ok());
  clock.RunFor(absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnauthenticated(sessions.Check(token).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(sessions.Check(token).status()));
}

TEST_F(SessionsTest, RememberedAndFreshTokensExpireAtTheSameMoment) {
  const std::string remembered = OpenToken();
  v1::OpenSessionRequest other = Request();
  other.set_client_id(ToBytes(MakeId<ClientId>(6)));
  const std::string fresh = Open(other).value().token();
  ASSERT_TRUE(sessions.Check(remembered).ok());
  clock.RunFor(kLifetime + absl::Seconds(kTokenClockSkew_s));
  EXPECT_EQ(sessions.Check(remembered).ok(), sessions.Check(fresh).ok());
}

TEST_F(SessionsTest, ForgedTokensAreRefusedWithoutAReason) {
  const std::string token = OpenToken();
  const absl::Status refused = sessions.Check("").status();
  EXPECT_TRUE(absl::IsUnauthenticated(refused));
  for (size_t byte = 0; byte < token.size(); byte += 7) {
    std::string forged = token;
    forged[byte] = static_cast<char>(forged[byte] ^ 1);
    EXPECT_EQ(sessions.Check(forged).status(), refused) << byte;
  }
  EXPECT_EQ(sessions.Check(token + "x").status(), refused);
  Sessions foreign(kLifetime, MakeSigner(8), registry->cluster_id().value(), clock);
  EXPECT_EQ(foreign.Check(token).status(), refused);
}

TEST_F(SessionsTest, MoreTokensThanAreRememberedAllStayGood) {
  const std::string first = OpenToken();
  ASSERT_TRUE(sessions.Check(first).ok());
  for (uint64_t i = 0; i < 4200; ++i) {
    v1::OpenSessionRequest request = Request();
    request.set_client_id(ToBytes(MakeId<ClientId>(100 + i)));
    ASSERT_TRUE(sessions.Check(Open(request).value().token()).ok());
  }
  EXPECT_TRUE(sessions.Check(first).ok());
}

}  // namespace
}  // namespace cairn
