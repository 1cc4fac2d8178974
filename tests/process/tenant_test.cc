// Who may read what, with real processes.
#include "cairn/v1/coordinator.pb.h"
#include "server/cli/control_call.h"
#include "tests/process/cluster_test.h"

namespace cairn::process {
namespace {

class Tenants : public ClusterTest {
 protected:
  TenantFile AddTenant(const std::string& name) {
    v1::AddTenantRequest request;
    const auto file = RealDisk().ReadFile(cluster->admin_file());
    EXPECT_TRUE(file.ok());
    request.set_admin_credential(file->substr(0, file->find('\n')));
    request.mutable_tenant()->set_name(name);
    const auto reply = ControlCall<v1::AddTenantReply>(*network, cluster->coordinator(),
                                                       "/cairn.v1.Coordinator/AddTenant", request);
    EXPECT_TRUE(reply.ok()) << reply.status();
    TenantFile tenant{name, {}};
    if (reply.ok()) std::memcpy(tenant.secret.data(), reply->secret().data(), 32);
    return tenant;
  }
};

TEST_F(Tenants, AWrongSecretAndAnUnknownTenantAreRefusedAlike) {
  Start(1, 128u << 20);
  EngineOptions wrong_secret = MakeEngineOptions();
  wrong_secret.tenant.secret[0] ^= std::byte{1};
  EngineOptions unknown = MakeEngineOptions();
  unknown.tenant.name = "nobody";
  const absl::Status first = Engine::Connect(wrong_secret).status();
  const absl::Status second = Engine::Connect(unknown).status();
  EXPECT_EQ(first.code(), absl::StatusCode::kUnauthenticated) << first;
  EXPECT_EQ(first, second);
}

TEST_F(Tenants, AnotherTenantsKeyLooksAbsent) {
  Start(1, 128u << 20);
  const auto owner = ConnectEngine();
  ASSERT_NE(owner, nullptr);
  EngineOptions options = MakeEngineOptions();
  options.tenant = AddTenant("other");
  const auto connected = Engine::Connect(options);
  ASSERT_TRUE(connected.ok()) << connected.status();
  Engine& thief = **connected;
  const std::vector<BlockKey> stolen = owner->Keys(1, 8);
  ASSERT_EQ(owner->Put(stolen, absl::Seconds(2)).ok, stolen.size());
  ASSERT_EQ(owner->Get(stolen, absl::Seconds(2)).ok, stolen.size());
  const Outcome taken = thief.Get(stolen, absl::Seconds(2));
  const Outcome absent = thief.Get(thief.Keys(99, 8), absl::Seconds(2));
  EXPECT_EQ(taken.ok, 0u);
  EXPECT_EQ(taken.reasons, absent.reasons);
  const Completion match = thief.Match(stolen, absl::Seconds(2));
  EXPECT_EQ(match.blocks, 0u);
  EXPECT_EQ(match.reason, thief.Match(thief.Keys(98, 8), absl::Seconds(2)).reason);
  // What the thief stores under these keys is the thief's alone.
  EXPECT_EQ(thief.Put(stolen, absl::Seconds(2)).ok, stolen.size());
  EXPECT_EQ(owner->Get(stolen, absl::Seconds(2)).ok, stolen.size());
  EXPECT_EQ(Sum("cairn_conflicts_total"), 0);
}

}  // namespace
}  // namespace cairn::process
