#include "server/coordinator/coordinator.h"

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hex.h"
#include "proto/credential.h"
#include "proto/token.h"
#include "server/registry/sqlite_registry.h"
#include "tests/proto/sample_namespace.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using testing::Beat;
using testing::Changes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Key;
using testing::MakeId;
using testing::Registration;
using testing::ToBytes;

struct CoordinatorTest : ::testing::Test {
  CoordinatorTest() : runtime(host.runtime()) {
    registry = OpenSqliteRegistry(":memory:", runtime.random).value();
    coordinator = Start().value();
  }
  absl::StatusOr<std::unique_ptr<Coordinator>> Start(const CoordinatorOptions& options = {
                                                         .state_folder = "state"}) {
    return Coordinator::Create(options, *registry, runtime);
  }
  template <typename Reply, typename Request>
  absl::StatusOr<Reply> Call(const std::string& method, const Request& request) {
    const auto bytes =
        coordinator->Handle("/cairn.v1.Coordinator/" + method, request.SerializeAsString());
    if (!bytes.ok()) return bytes.status();
    Reply reply;
    EXPECT_TRUE(reply.ParseFromString(*bytes));
    return reply;
  }
  v1::GetStatusReply Status() {
    v1::GetStatusRequest request;
    request.set_admin_credential(coordinator->admin_credential());
    return Call<v1::GetStatusReply>("GetStatus", request).value();
  }
  absl::StatusOr<v1::ForgetNodeReply> ForgetNode(uint64_t node) {
    v1::ForgetNodeRequest request;
    request.set_admin_credential(coordinator->admin_credential());
    request.set_node(HexEncode(testing::Node(node).bytes));
    return Call<v1::ForgetNodeReply>("ForgetNode", request);
  }
  v1::AddTenantReply AddTenant(const std::string& name) {
    v1::AddTenantRequest request;
    request.set_admin_credential(coordinator->admin_credential());
    request.mutable_tenant()->set_name(name);
    return Call<v1::AddTenantReply>("AddTenant", request).value();
  }
  v1::OpenSessionReply OpenSession(const v1::AddTenantReply& tenant) {
    TenantSecret secret;
    std::memcpy(secret.data(), tenant.secret().data(), secret.size());
    const Credential credential = MakeCredential(secret);
    v1::OpenSessionRequest request;
    request.set_tenant(tenant.tenant().name());
    request.set_credential(credential.data(), credential.size());
    request.set_client_id(ToBytes(MakeId<ClientId>(1)));
    request.set_rights(kRightRead | kRightWrite);
    *request.mutable_ns() = testing::SampleNamespace();
    return Call<v1::OpenSessionReply>("OpenSession", request).value();
  }
  // A ready node that reported these blocks of a tenant.
  void JoinNode(const std::vector<BlockKey>& keys, TenantId tenant, uint64_t incarnation = 1) {
    ASSERT_TRUE(Call<v1::RegisterNodeReply>("RegisterNode", Registration(1, incarnation)).ok());
    ASSERT_TRUE(Call<v1::HeartbeatReply>("Heartbeat", Beat(1, incarnation)).value().known());
    ASSERT_TRUE(Report(1, v1::ReportRequest::SNAPSHOT_BEGIN, Changes(keys, kInventoryAdded, tenant),
                       incarnation)
                    .ok());
    ASSERT_TRUE(Report(2, v1::ReportRequest::SNAPSHOT_END, "", incarnation).ok());
  }
  absl::StatusOr<v1::ReportReply> Report(uint64_t sequence, v1::ReportRequest::Kind kind,
                                         const std::string& changes, uint64_t incarnation) {
    return Call<v1::ReportReply>("Report",
                                 testing::Report(sequence, kind, changes, 1, incarnation));
  }
  absl::StatusOr<v1::LocateReply> Locate(const std::string& token,
                                         const std::vector<BlockKey>& keys) {
    v1::LocateRequest request;
    request.set_token(token);
    request.set_keys(ToBytes(keys));
    return Call<v1::LocateReply>("Locate", request);
  }
  absl::StatusOr<std::unique_ptr<Watch>> OpenWatch(const std::string& token, uint64_t epoch = 0,
                                                   uint64_t sequence = 0) {
    v1::WatchRequest request;
    request.set_token(token);
    request.set_epoch(epoch);
    request.set_sequence(sequence);
    return coordinator->OpenWatch(request.SerializeAsString());
  }
  static absl::StatusOr<v1::WatchReply> Next(Watch& watch) {
    const absl::StatusOr<std::optional<std::string>> bytes = watch.Next();
    if (!bytes.ok()) return bytes.status();
    v1::WatchReply reply;
    EXPECT_TRUE(bytes->has_value() && reply.ParseFromString(**bytes));
    return reply;
  }
  void RunFor(absl::Duration duration) {
    const Instant end = runtime.clock.Now() + duration;
    while (runtime.clock.Now() < end) {
      world.scheduler().RunFor(absl::Milliseconds(100));
      coordinator->Step();
    }
  }

  SimWorld world{{}};
  SimHost& host = world.AddHost("10.0.0.1");
  Runtime runtime;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Coordinator> coordinator;
};

TEST_F(CoordinatorTest, OneThatStandsStillIsUnhealthyUntilItStepsAgain) {
  EXPECT_TRUE(coordinator->health().ok());
  world.scheduler().RunFor(kStepStallMax);
  EXPECT_TRUE(coordinator->health().ok());
  world.scheduler().RunFor(absl::Seconds(2));
  EXPECT_EQ(coordinator->health(),
            absl::UnavailableError("membership and objectives stand still for 12 s"));
  coordinator->Step();
  EXPECT_TRUE(coordinator->health().ok());
}

TEST_F(CoordinatorTest, AnUnknownMethodIsUnimplemented) {
  for (const char* method : {"", "Locate", "/cairn.v1.Coordinator/", "/cairn.v1.Coordinator/locate",
                             "/cairn.v2.Coordinator/Locate"}) {
    EXPECT_EQ(coordinator->Handle(method, "").status().code(), absl::StatusCode::kUnimplemented)
        << method;
  }
}

TEST_F(CoordinatorTest, GarbageIsAnInvalidArgumentOfEveryMethod) {
  for (const char* method :
       {"OpenSession", "Locate", "MatchPrefix", "RegisterNode", "Heartbeat", "Report", "GetStatus",
        "ForgetNode", "AddTenant", "ListTenants", "RemoveTenant"}) {
    const std::string path = std::string("/cairn.v1.Coordinator/") + method;
    EXPECT_EQ(coordinator->Handle(path, "\xff\xff\xff\xff garbage").status().code(),
              absl::StatusCode::kInvalidArgument)
        << method;
    EXPECT_FALSE(coordinator->Handle(path, "").ok()) << method;
  }
}

TEST_F(CoordinatorTest, OperatorsNeedTheAdminCredential) {
  const std::string right = coordinator->admin_credential();
  EXPECT_EQ(right.size(), 64u);
  std::string almost = right;
  almost.back() = almost.back() == '0' ? '1' : '0';
  for (const std::string& wrong : {std::string(), almost, right + "0", right.substr(1)}) {
    v1::GetStatusRequest status;
    status.set_admin_credential(wrong);
    EXPECT_TRUE(absl::IsUnauthenticated(Call<v1::GetStatusReply>("GetStatus", status).status()));
    v1::AddTenantRequest add;
    add.set_admin_credential(wrong);
    add.mutable_tenant()->set_name("a");
    EXPECT_TRUE(absl::IsUnauthenticated(Call<v1::AddTenantReply>("AddTenant", add).status()));
    v1::ListTenantsRequest list;
    list.set_admin_credential(wrong);
    EXPECT_TRUE(absl::IsUnauthenticated(Call<v1::ListTenantsReply>("ListTenants", list).status()));
    v1::RemoveTenantRequest remove;
    remove.set_admin_credential(wrong);
    remove.set_name("a");
    v1::ForgetNodeRequest forget;
    forget.set_admin_credential(wrong);
    EXPECT_TRUE(absl::IsUnauthenticated(Call<v1::ForgetNodeReply>("ForgetNode", forget).status()));
    EXPECT_TRUE(
        absl::IsUnauthenticated(Call<v1::RemoveTenantReply>("RemoveTenant", remove).status()));
  }
  EXPECT_EQ(Status().tenants(), 0u);
}

TEST_F(CoordinatorTest, TenantsAreAddedListedAndRemoved) {
  const v1::AddTenantReply added = AddTenant("a");
  EXPECT_EQ(added.secret().size(), sizeof(TenantSecret));
  AddTenant("b");
  v1::ListTenantsRequest list;
  list.set_admin_credential(coordinator->admin_credential());
  const v1::ListTenantsReply listed = Call<v1::ListTenantsReply>("ListTenants", list).value();
  ASSERT_EQ(listed.tenants_size(), 2);
  EXPECT_EQ(listed.tenants(0).name(), "a");
  EXPECT_EQ(listed.tenants(0).id(), added.tenant().id());
  v1::RemoveTenantRequest remove;
  remove.set_admin_credential(coordinator->admin_credential());
  remove.set_name("a");
  EXPECT_TRUE(Call<v1::RemoveTenantReply>("RemoveTenant", remove).ok());
  EXPECT_TRUE(absl::IsNotFound(Call<v1::RemoveTenantReply>("RemoveTenant", remove).status()));
  EXPECT_EQ(Status().tenants(), 1u);
}

TEST_F(CoordinatorTest, ASessionLocatesWhatNodesReported) {
  const v1::AddTenantReply tenant = AddTenant("a");
  const std::string token = OpenSession(tenant).token();
  JoinNode({Key(0), Key(1)}, tenant.tenant().id());
  const v1::LocateReply reply = Locate(token, {Key(0), Key(1), Key(2)}).value();
  ASSERT_EQ(reply.available_size(), 1);
  EXPECT_EQ(reply.available(0).count(), 2u);
  ASSERT_EQ(reply.placement_size(), 1);
  EXPECT_EQ(reply.placement(0).first_index(), 2u);
  EXPECT_TRUE(absl::IsUnauthenticated(Locate("", {Key(0)}).status()));
  const v1::GetStatusReply status = Status();
  EXPECT_EQ(status.locates(), 1u);
  EXPECT_EQ(status.sessions_opened(), 1u);
  EXPECT_EQ(status.indexed_blocks(), 2u);
}

TEST_F(CoordinatorTest, TheTokenDecidesWhoseBlocksAreSeen) {
  const v1::AddTenantReply owner = AddTenant("a");
  const v1::AddTenantReply stranger = AddTenant("b");
  JoinNode({Key(0)}, owner.tenant().id());
  const auto seen = [this](const v1::AddTenantReply& tenant) {
    return Locate(OpenSession(tenant).token(), {Key(0)}).value().available_size();
  };
  EXPECT_EQ(seen(owner), 1);
  EXPECT_EQ(seen(stranger), 0);
}

TEST_F(CoordinatorTest, MatchPrefixNeedsATokenAndSeesItsTenantsBlocksAlone) {
  const v1::AddTenantReply owner = AddTenant("a");
  const v1::AddTenantReply stranger = AddTenant("b");
  JoinNode({Key(0), Key(1)}, owner.tenant().id());
  const auto match = [this](const std::string& token) {
    v1::MatchPrefixRequest request;
    request.set_token(token);
    request.set_keys(ToBytes({Key(0), Key(1), Key(2)}));
    return Call<v1::MatchPrefixReply>("MatchPrefix", request);
  };
  EXPECT_EQ(match(OpenSession(owner).token()).value().blocks(), 2u);
  EXPECT_EQ(match(OpenSession(stranger).token()).value().SerializeAsString(), "")
      << "forbidden looks like absent, and nobody watches";
  EXPECT_TRUE(absl::IsUnauthenticated(match("").status()));
  EXPECT_THAT(coordinator->MetricsText(), HasSubstr("\ncairn_coordinator_matches_total 2\n"));
}

TEST_F(CoordinatorTest, AWatchBeginsWithItsPlaceAndTellsWhatComes) {
  const v1::AddTenantReply tenant = AddTenant("a");
  const TenantId id = tenant.tenant().id();
  JoinNode({Key(0)}, id);
  const std::string token = OpenSession(tenant).token();
  const std::unique_ptr<Watch> watch = OpenWatch(token).value();
  const v1::WatchReply first = Next(*watch).value();
  EXPECT_TRUE(first.gap()) << "what was stored before is for MatchPrefix to tell";
  EXPECT_NE(first.epoch(), 0u);
  EXPECT_EQ(watch->Next().value(), std::nullopt);
  ASSERT_TRUE(Report(3, v1::ReportRequest::DELTA,
                     Changes({Key(1)}, kInventoryOnDrive, id) +
                         Changes({Key(0)}, kInventoryRemoved, id) +
                         Changes({Key(2)}, kInventoryAdded, id + 1),
                     1)
                  .ok());
  const v1::WatchReply told = Next(*watch).value();
  EXPECT_EQ(told.sequence(), first.sequence() + 2);
  ASSERT_EQ(told.changes_size(), 2) << "another tenant's change is not told";
  EXPECT_EQ(told.changes(0).kind(), v1::WatchReply::STORED);
  EXPECT_EQ(told.changes(0).tier(), v1::WatchReply::NVME);
  EXPECT_EQ(told.changes(0).key(), ToBytes(Key(1)));
  EXPECT_EQ(told.changes(1).kind(), v1::WatchReply::REMOVED);
  EXPECT_THAT(told.node_ids(), ElementsAre(ToBytes(testing::Node(1))));
  ASSERT_TRUE(Call<v1::RegisterNodeReply>("RegisterNode", Registration(1, 2)).ok());
  EXPECT_EQ(Next(*watch).value().changes(0).kind(), v1::WatchReply::NODE_CLEARED);
}

TEST_F(CoordinatorTest, AWatchGoesOnBehindWhatAMatchTold) {
  const v1::AddTenantReply tenant = AddTenant("a");
  const std::string token = OpenSession(tenant).token();
  const std::unique_ptr<Watch> watch = OpenWatch(token).value();
  JoinNode({Key(0), Key(1)}, tenant.tenant().id());
  v1::MatchPrefixRequest request;
  request.set_token(token);
  request.set_keys(ToBytes({Key(0)}));
  const auto match = Call<v1::MatchPrefixReply>("MatchPrefix", request).value();
  EXPECT_EQ(match.sequence(), 4u) << "cleared by joining and by the snapshot, then two blocks";
  ASSERT_TRUE(Report(3, v1::ReportRequest::DELTA, Changes({Key(2)}, kInventoryAdded, 1), 1).ok());
  const std::unique_ptr<Watch> later = OpenWatch(token, match.epoch(), match.sequence()).value();
  EXPECT_FALSE(Next(*later).value().gap());
  const v1::WatchReply told = Next(*later).value();
  ASSERT_EQ(told.changes_size(), 1);
  EXPECT_EQ(told.changes(0).key(), ToBytes(Key(2)));
}

TEST_F(CoordinatorTest, AWatchOfACoordinatorsEarlierLifeHasAGap) {
  const std::string token = OpenSession(AddTenant("a")).token();
  const v1::WatchReply before = Next(*OpenWatch(token).value()).value();
  coordinator = Start().value();
  const std::unique_ptr<Watch> watch = OpenWatch(token, before.epoch(), before.sequence()).value();
  const v1::WatchReply after = Next(*watch).value();
  EXPECT_TRUE(after.gap());
  EXPECT_NE(after.epoch(), before.epoch());
}

TEST_F(CoordinatorTest, AWatchEndsWhenItsTokenExpires) {
  EXPECT_TRUE(absl::IsUnauthenticated(OpenWatch("").status()));
  const std::unique_ptr<Watch> watch = OpenWatch(OpenSession(AddTenant("a")).token()).value();
  EXPECT_TRUE(Next(*watch).ok());
  RunFor(absl::Minutes(9));
  EXPECT_TRUE(watch->Next().ok());
  RunFor(absl::Minutes(2));
  EXPECT_TRUE(absl::IsUnauthenticated(watch->Next().status()));
}

TEST_F(CoordinatorTest, ASlowWatcherIsCutOffAndCanWatchAgain) {
  const std::string token = OpenSession(AddTenant("a")).token();
  JoinNode({}, 1);
  std::unique_ptr<Watch> watch = OpenWatch(token).value();
  ASSERT_TRUE(Next(*watch).ok());
  std::vector<BlockKey> keys;
  keys.reserve(kInventoryChangesMax);
  for (size_t i = 0; i < kInventoryChangesMax; ++i) keys.push_back(Key(i));
  for (uint64_t report = 0; report < 5; ++report) {
    const uint16_t change = report % 2 == 0 ? kInventoryAdded : kInventoryRemoved;
    ASSERT_TRUE(Report(3 + report, v1::ReportRequest::DELTA, Changes(keys, change, 1), 1).ok());
  }
  const absl::Status status = watch->Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("changes behind"));
  watch.reset();
  EXPECT_TRUE(Next(*OpenWatch(token).value()).value().gap());
}

TEST_F(CoordinatorTest, ATenantsWatchesAreBoundedAndGivenBack) {
  const std::string token = OpenSession(AddTenant("a")).token();
  std::vector<std::unique_ptr<Watch>> watches;
  watches.reserve(8);
  for (int i = 0; i < 8; ++i) watches.push_back(OpenWatch(token).value());
  EXPECT_EQ(OpenWatch(token).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(coordinator->MetricsText(), HasSubstr("\ncairn_coordinator_watches 8\n"));
  watches.pop_back();
  EXPECT_TRUE(OpenWatch(token).ok());
  EXPECT_EQ(coordinator->OpenWatch("\xff\xff garbage").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CoordinatorTest, ReportsOfAnotherLifeAreRefused) {
  JoinNode({Key(0)}, 1, /*incarnation=*/2);
  for (const uint64_t incarnation : {1, 3}) {
    EXPECT_TRUE(absl::IsNotFound(
        Report(3, v1::ReportRequest::DELTA, Changes({Key(1)}), incarnation).status()));
  }
  EXPECT_EQ(Status().indexed_blocks(), 1u);
}

TEST_F(CoordinatorTest, ARestartedNodesInventoryIsForgottenAtOnce) {
  JoinNode({Key(0)}, 1, 1);
  const auto reply = Call<v1::RegisterNodeReply>("RegisterNode", Registration(1, 2)).value();
  EXPECT_TRUE(reply.snapshot_wanted());
  EXPECT_EQ(Status().nodes(0).indexed_blocks(), 0u);
}

TEST_F(CoordinatorTest, AnUnknownNodesHeartbeatAsksItToRegister) {
  EXPECT_FALSE(Call<v1::HeartbeatReply>("Heartbeat", Beat(1)).value().known());
  v1::HeartbeatRequest bad = Beat(1);
  bad.set_node_id("short");
  EXPECT_EQ(Call<v1::HeartbeatReply>("Heartbeat", bad).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CoordinatorTest, ANodeOfAnotherClusterIsRefusedWithARemedy) {
  v1::RegisterNodeRequest request = Registration(1);
  request.set_cluster_id(std::string(16, 'x'));
  const absl::Status status = Call<v1::RegisterNodeReply>("RegisterNode", request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("cluster_id"), HasSubstr("78787878787878787878787878787878"),
                    HasSubstr(HexEncode(registry->cluster_id().value().bytes)),
                    HasSubstr("remove the logs on its drives")));
  request.set_cluster_id(ToBytes(registry->cluster_id().value()));
  EXPECT_TRUE(Call<v1::RegisterNodeReply>("RegisterNode", request).ok());
}

TEST_F(CoordinatorTest, NodesLearnTheKeyThatSignsTokens) {
  const auto registered = Call<v1::RegisterNodeReply>("RegisterNode", Registration(1)).value();
  EXPECT_EQ(registered.heartbeat_interval_ms(), 1000u);
  ASSERT_EQ(registered.token_keys_size(), 1);
  PublicKey key;
  ASSERT_EQ(registered.token_keys(0).size(), key.size());
  std::memcpy(key.data(), registered.token_keys(0).data(), key.size());
  const std::string token = OpenSession(AddTenant("a")).token();
  EXPECT_TRUE(VerifyToken({reinterpret_cast<const std::byte*>(token.data()), token.size()},
                          {&key, 1}, runtime.clock.UnixSeconds())
                  .ok());
  EXPECT_EQ(Call<v1::HeartbeatReply>("Heartbeat", Beat(1)).value().token_keys(0),
            registered.token_keys(0));
}

TEST_F(CoordinatorTest, StatusTellsWhetherANodeIsReadySilentOrNew) {
  ASSERT_TRUE(Call<v1::RegisterNodeReply>("RegisterNode", Registration(1)).ok());
  EXPECT_EQ(Status().nodes(0).state(), "not_ready");
  ASSERT_TRUE(Call<v1::HeartbeatReply>("Heartbeat", Beat(1)).ok());
  EXPECT_EQ(Status().nodes(0).state(), "ready");
  RunFor(absl::Seconds(4));
  EXPECT_EQ(Status().nodes(0).state(), "lost");
  EXPECT_GE(Status().nodes(0).last_heartbeat_age_ms(), 4000);
  EXPECT_GE(Status().uptime_ms(), 4000);
}

TEST_F(CoordinatorTest, ALongLostNodesEntriesGoAndItMustTellThemAgain) {
  JoinNode({Key(0), Key(1)}, 1);
  RunFor(absl::Minutes(4));
  EXPECT_EQ(Status().nodes(0).indexed_blocks(), 2u) << "it may come back";
  RunFor(absl::Minutes(2));
  EXPECT_EQ(Status().nodes(0).indexed_blocks(), 0u);
  EXPECT_TRUE(Call<v1::HeartbeatReply>("Heartbeat", Beat(1)).value().snapshot_wanted());
}

TEST_F(CoordinatorTest, ANodeTakenAwayForGoodIsForgottenWithWhatItHeld) {
  JoinNode({Key(0), Key(1)}, 1);
  EXPECT_EQ(ForgetNode(1).status().code(), absl::StatusCode::kFailedPrecondition) << "alive";
  RunFor(absl::Seconds(4));
  EXPECT_EQ(ForgetNode(1).value().node_id(), ToBytes(testing::Node(1)));
  EXPECT_EQ(Status().nodes_size(), 0);
  EXPECT_TRUE(absl::IsNotFound(ForgetNode(1).status())) << "twice";
  EXPECT_TRUE(
      Call<v1::RegisterNodeReply>("RegisterNode", Registration(1)).value().snapshot_wanted());
  EXPECT_EQ(Status().nodes(0).indexed_blocks(), 0u);
}

TEST_F(CoordinatorTest, AForgottenNodeThatWasOnlyCutOffJoinsAgainInTheSameLife) {
  JoinNode({Key(0)}, 1);
  RunFor(absl::Seconds(4));
  ASSERT_TRUE(ForgetNode(1).ok());
  EXPECT_FALSE(Call<v1::HeartbeatReply>("Heartbeat", Beat(1)).value().known());
  JoinNode({Key(0)}, 1);
  EXPECT_EQ(Status().nodes(0).state(), "ready");
  EXPECT_EQ(Status().nodes(0).indexed_blocks(), 1u);
}

TEST_F(CoordinatorTest, AnotherStartKeepsKeyAndCredential) {
  const std::string token = OpenSession(AddTenant("a")).token();
  const std::string admin = coordinator->admin_credential();
  EXPECT_EQ(host.disk().ModeOf("state/admin"), 0600u);
  EXPECT_EQ(host.disk().ModeOf("state/token_key"), 0600u);
  coordinator = Start().value();
  EXPECT_EQ(coordinator->admin_credential(), admin);
  EXPECT_TRUE(Locate(token, {Key(0)}).ok());
}

TEST_F(CoordinatorTest, DamagedStateStopsTheStartAndNamesTheFile) {
  for (const char* path : {"state/admin", "state/token_key"}) {
    const std::string good = host.disk().ReadFile(path).value();
    ASSERT_TRUE(host.disk().WriteFileAtomically(path, "damaged", 0600).ok());
    const absl::Status status = Start().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    EXPECT_THAT(std::string(status.message()), HasSubstr("restore"));
    ASSERT_TRUE(host.disk().WriteFileAtomically(path, good, 0600).ok());
  }
}

TEST_F(CoordinatorTest, ADiskThatCannotBeReadOrWrittenStopsTheStart) {
  host.disk().FailReads(EIO);
  EXPECT_FALSE(Start().ok());
  host.disk().FailReads(0);
  host.disk().FailWrites(ENOSPC);
  EXPECT_EQ(Start({.state_folder = "fresh"}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(CoordinatorTest, OptionsOutOfRangeNameTheFieldAndTheRange) {
  const std::pair<CoordinatorOptions, const char*> bad[] = {
      {{}, "state_folder"},
      {{.state_folder = "s", .index_bytes_max = 1000}, "index_bytes_max"},
      {{.state_folder = "s", .heartbeat_interval = absl::Milliseconds(1)}, "heartbeat_interval"},
      {{.state_folder = "s", .node_timeout = absl::Seconds(1)}, "node_timeout"},
      {{.state_folder = "s", .forget_node_after = absl::Seconds(1)}, "forget_node_after"},
      {{.state_folder = "s", .session_lifetime = absl::Seconds(1)}, "session_lifetime"},
  };
  for (const auto& [options, field] : bad) {
    const absl::Status status = Start(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("coordinator.") + field));
  }
}

TEST_F(CoordinatorTest, MetricsCountWhatHappened) {
  const v1::AddTenantReply tenant = AddTenant("a");
  JoinNode({Key(0), Key(1)}, tenant.tenant().id());
  ASSERT_TRUE(Locate(OpenSession(tenant).token(), {Key(0)}).ok());
  const std::string text = coordinator->MetricsText();
  for (const char* line :
       {"\ncairn_coordinator_nodes_ready 1\n", "\ncairn_coordinator_index_blocks 2\n",
        "\ncairn_coordinator_locates_total 1\n", "\ncairn_coordinator_sessions_total 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace cairn
