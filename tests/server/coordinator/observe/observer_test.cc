// The Observer service by the coordinator's own door, with its registry and its history.
#include <map>
#include <memory>
#include <set>
#include <string>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hex.h"
#include "cairn/v1/overview.pb.h"
#include "proto/credential.h"
#include "proto/token.h"
#include "server/coordinator/coordinator.h"
#include "server/registry/sqlite_history.h"
#include "server/registry/sqlite_registry.h"
#include "tests/proto/sample_namespace.h"
#include "tests/server/coordinator/observe/sample_observations.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

using testing::Beat;
using testing::DramGets;
using testing::FastGets;
using testing::Gets;
using ::testing::HasSubstr;
using testing::MakeId;
using testing::Registration;
using testing::ToBytes;

struct ObserverTest : ::testing::Test {
  ObserverTest() : runtime(host.runtime()) { Start(); }
  void Start() {
    coordinator.reset();
    coordinator =
        Coordinator::Create({.state_folder = "state"}, *registry, runtime, history.get()).value();
  }
  template <typename Reply, typename Request>
  absl::StatusOr<Reply> Call(const std::string& method, const Request& request) {
    const auto bytes = coordinator->Handle("/cairn.v1." + method, request.SerializeAsString());
    if (!bytes.ok()) return bytes.status();
    Reply reply;
    EXPECT_TRUE(reply.ParseFromString(*bytes));
    return reply;
  }
  template <typename Reply, typename Request>
  absl::StatusOr<Reply> Admin(const std::string& method, Request request) {
    request.set_admin_credential(coordinator->admin_credential());
    return Call<Reply>(method, request);
  }
  v1::GetOverviewReply Overview() {
    return Admin<v1::GetOverviewReply>("Observer/GetOverview", v1::GetOverviewRequest()).value();
  }
  absl::Status Set(const v1::Objective& objective) {
    v1::SetObjectiveRequest request;
    *request.mutable_objective() = objective;
    return Admin<v1::SetObjectiveReply>("Observer/SetObjective", request).status();
  }
  v1::ObjectiveState State() {
    return Admin<v1::ListObjectivesReply>("Observer/ListObjectives", v1::ListObjectivesRequest())
        .value()
        .objectives(0);
  }
  // A second at a time, with a heartbeat of node 1 that has served so many gets by then.
  void Run(int seconds, uint64_t fast_a_second = 0, uint64_t slow_a_second = 0) {
    for (int i = 0; i < seconds; ++i) {
      fast += fast_a_second;
      slow += slow_a_second;
      v1::HeartbeatRequest beat = Beat(1);
      FillSeries({{DramGets(), Gets(fast, slow)}}, *beat.mutable_latency());
      ASSERT_TRUE(Call<v1::HeartbeatReply>("Coordinator/Heartbeat", beat).ok());
      for (int step = 0; step < 10; ++step) {
        world.scheduler().RunFor(absl::Milliseconds(100));
        coordinator->Step();
      }
    }
  }
  // A report of a client of tenant "search" that has opened its session; says nothing yet.
  v1::ReportClientRequest OpenedClient() {
    v1::AddTenantRequest add;
    add.mutable_tenant()->set_name("search");
    const auto tenant = Admin<v1::AddTenantReply>("Coordinator/AddTenant", add).value();
    TenantSecret secret;
    std::memcpy(secret.data(), tenant.secret().data(), secret.size());
    const Credential credential = MakeCredential(secret);
    v1::OpenSessionRequest open;
    open.set_tenant("search");
    open.set_credential(credential.data(), credential.size());
    open.set_client_id(ToBytes(MakeId<ClientId>(1)));
    open.set_rights(kRightRead | kRightWrite);
    *open.mutable_ns() = testing::SampleNamespace();
    const auto session = Call<v1::OpenSessionReply>("Coordinator/OpenSession", open).value();
    v1::ReportClientRequest report;
    report.set_token(session.token());
    report.set_namespace_id(session.namespace_id());
    return report;
  }
  void Join() {
    ASSERT_TRUE(Call<v1::RegisterNodeReply>("Coordinator/RegisterNode", Registration(1)).ok());
  }
  std::multiset<std::string> Kinds() {
    std::multiset<std::string> kinds;
    const v1::GetOverviewReply overview = Overview();
    for (const v1::Event& event : overview.events()) kinds.insert(event.kind());
    return kinds;
  }

  SimWorld world{{}};
  SimHost& host = world.AddHost("10.0.0.1");
  Runtime runtime;
  std::unique_ptr<Registry> registry =
      OpenSqliteRegistry(":memory:", host.runtime().random).value();
  std::unique_ptr<HistoryStore> history = OpenSqliteHistory(":memory:").value();
  std::unique_ptr<Coordinator> coordinator;
  uint64_t fast = 0, slow = 0;
};

TEST_F(ObserverTest, StrangersSeeAndSetNothing) {
  v1::GetOverviewRequest look;
  look.set_admin_credential("wrong");
  EXPECT_TRUE(
      absl::IsUnauthenticated(Call<v1::GetOverviewReply>("Observer/GetOverview", look).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      Call<v1::GetHistoryReply>("Observer/GetHistory", v1::GetHistoryRequest()).status()));
  v1::SetObjectiveRequest set;
  *set.mutable_objective() = FastGets();
  EXPECT_TRUE(
      absl::IsUnauthenticated(Call<v1::SetObjectiveReply>("Observer/SetObjective", set).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      Call<v1::ListObjectivesReply>("Observer/ListObjectives", v1::ListObjectivesRequest())
          .status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      Call<v1::RemoveObjectiveReply>("Observer/RemoveObjective", v1::RemoveObjectiveRequest())
          .status()));
}

TEST_F(ObserverTest, TheLastMinuteIsTold) {
  Join();
  Run(30, 10, 1);
  Run(11);  // until what came last has become a point
  const v1::GetOverviewReply overview = Overview();
  ASSERT_EQ(overview.node_latency_size(), 1);
  const SeriesSums sums = ParseSeries(overview.node_latency()).value();
  EXPECT_EQ(sums.begin()->second.counts[LatencyBucket(7'000'000)], 30u);
  EXPECT_EQ(overview.edges_ns_size(), static_cast<int>(kLatencyEdgesNs.size()));
  EXPECT_EQ(overview.status().nodes_size(), 1);
  Run(70);
  EXPECT_EQ(Overview().node_latency_size(), 0) << "a minute later";
}

TEST_F(ObserverTest, AnObjectiveIsJudgedAlsoByWhatCameBeforeIt) {
  Join();
  Run(60, 99, 1);
  Run(11);
  ASSERT_TRUE(Set(FastGets()).ok());
  EXPECT_EQ(State().total(), 6000u);
  EXPECT_EQ(State().good(), 5940u);
  Run(60, 100, 0);
  Run(11);
  EXPECT_EQ(State().total(), 12'000u);
  EXPECT_THAT(coordinator->MetricsText(),
              HasSubstr("cairn_objective_good_calls_total{objective=\"fast\"} 6000\n"));
}

TEST_F(ObserverTest, HistoryAndObjectivesOutliveTheCoordinator) {
  Join();
  ASSERT_TRUE(Set(FastGets()).ok());
  Run(600, 99, 1);
  const v1::ObjectiveState before = State();
  EXPECT_EQ(before.verdict(), "exhausted");
  v1::GetHistoryRequest ask;
  ask.set_points_max(1000);
  const auto points = Admin<v1::GetHistoryReply>("Observer/GetHistory", ask).value();
  EXPECT_GE(points.points_size(), 59);
  Start();
  EXPECT_EQ(State().SerializeAsString(), before.SerializeAsString());
  EXPECT_EQ(Admin<v1::GetHistoryReply>("Observer/GetHistory", ask).value().SerializeAsString(),
            points.SerializeAsString());
  v1::RemoveObjectiveRequest remove;
  remove.set_name("fast");
  ASSERT_TRUE(Admin<v1::RemoveObjectiveReply>("Observer/RemoveObjective", remove).ok());
  Start();
  EXPECT_EQ(Overview().objectives_size(), 0);
  EXPECT_TRUE(absl::IsNotFound(
      Admin<v1::RemoveObjectiveReply>("Observer/RemoveObjective", remove).status()));
}

TEST_F(ObserverTest, MistakenObjectivesAreNotKept) {
  v1::Objective wrong = FastGets();
  wrong.set_tenant("nobody");
  EXPECT_THAT(std::string(Set(wrong).message()), HasSubstr("no tenant \"nobody\""));
  wrong = FastGets();
  wrong.set_threshold_ns(3);
  EXPECT_TRUE(absl::IsInvalidArgument(Set(wrong)));
  EXPECT_TRUE(registry->ListObjectives().value().empty());
  for (int i = 0; i < 64; ++i) {
    v1::Objective one = FastGets();
    one.set_name(absl::StrCat("o", i));
    ASSERT_TRUE(Set(one).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(Set(FastGets())));
  v1::Objective again = FastGets();
  again.set_name("o7");
  EXPECT_TRUE(Set(again).ok()) << "in place of the one of that name";
}

TEST_F(ObserverTest, AFrozenNodeTurnsTheVerdictRedWithinThirtySecondsAndBack) {
  Join();
  Run(5, 1);
  EXPECT_EQ(Overview().findings_size(), 0);
  for (int i = 0; i < 100; ++i) {
    world.scheduler().RunFor(absl::Milliseconds(100));
    coordinator->Step();
  }
  const v1::GetOverviewReply lost = Overview();
  ASSERT_GE(lost.findings_size(), 1);
  std::set<std::string> ids;
  for (const v1::Finding& finding : lost.findings()) ids.insert(finding.id());
  EXPECT_TRUE(ids.contains("node_lost"));
  EXPECT_THAT(coordinator->MetricsText(),
              HasSubstr("cairn_findings{finding=\"node_lost\",severity=\"page\"} 1\n"));
  Run(5, 1);
  EXPECT_EQ(Overview().findings_size(), 0);
  const std::multiset<std::string> kinds = Kinds();
  EXPECT_EQ(kinds.count("node_lost"), 1u);
  EXPECT_EQ(kinds.count("node_back"), 1u);
  EXPECT_EQ(kinds.count("finding_raised"), kinds.count("finding_cleared"));
}

TEST_F(ObserverTest, WhatClientsWereGivenIsToldAsTotalsThatGrow) {
  Join();
  v1::ReportClientRequest report = OpenedClient();
  for (const uint64_t requested : {100, 150}) {
    report.mutable_hits()->set_requested_blocks(requested);
    report.mutable_hits()->set_hit_blocks(requested - 40);
    report.mutable_hits()->set_answered(requested / 10);
    report.mutable_hits()->set_late(1);
    ASSERT_TRUE(Call<v1::ReportClientReply>("Coordinator/ReportClient", report).ok());
    Run(11);
  }
  const std::string text = coordinator->MetricsText();
  EXPECT_THAT(text, HasSubstr("\ncairn_client_requested_blocks_total 150\n"));
  EXPECT_THAT(text, HasSubstr("\ncairn_client_hit_blocks_total 110\n"));
  EXPECT_THAT(text, HasSubstr("\ncairn_client_requested_tokens_total 2400\n")) << "16 a block";
  EXPECT_THAT(text, HasSubstr("\ncairn_client_hit_tokens_total 1760\n"));
  EXPECT_THAT(text, HasSubstr("\ncairn_client_answered_calls_total 15\n"));
  EXPECT_THAT(text, HasSubstr("\ncairn_client_late_calls_total 1\n"));
}

TEST_F(ObserverTest, AForgottenNodeLeavesNoFindingAndNoMetric) {
  Join();
  ASSERT_TRUE(Call<v1::RegisterNodeReply>("Coordinator/RegisterNode", Registration(2)).ok());
  Run(6, 1);  // of node 1 alone: node 2 is lost
  ASSERT_EQ(Overview().findings_size(), 1);
  v1::ForgetNodeRequest forget;
  forget.set_node(HexEncode(testing::Node(2).bytes));
  ASSERT_TRUE(Admin<v1::ForgetNodeReply>("Coordinator/ForgetNode", forget).ok());
  coordinator->Step();
  EXPECT_EQ(Overview().findings_size(), 0);
  EXPECT_EQ(Overview().status().nodes_size(), 1);
  EXPECT_THAT(coordinator->MetricsText(), ::testing::Not(HasSubstr("cairn_findings{")));
  Run(5, 1);
  EXPECT_EQ(Kinds().count("node_forgotten"), 1u);
}

TEST_F(ObserverTest, ALossIsAnEventHoweverShort) {
  Join();
  Run(5);
  while (Overview().status().nodes(0).state() != "lost") {
    world.scheduler().RunFor(absl::Milliseconds(100));
    coordinator->Step();
  }
  Run(2);
  const std::multiset<std::string> kinds = Kinds();
  EXPECT_EQ(kinds.count("node_lost"), 1u);
  EXPECT_EQ(kinds.count("node_back"), 1u);
}

TEST_F(ObserverTest, AnIndexThatLagsForAMomentIsNoNews) {
  Join();
  v1::HeartbeatRequest beat = Beat(1);
  const auto lag = [&](uint64_t blocks) {
    beat.set_block_count(blocks);
    ASSERT_TRUE(Call<v1::HeartbeatReply>("Coordinator/Heartbeat", beat).ok());
    for (int step = 0; step < 10; ++step) {
      world.scheduler().RunFor(absl::Milliseconds(100));
      coordinator->Step();
    }
  };
  for (int i = 0; i < 100; ++i) lag(i % 50 == 49 ? 0 : 5000);
  EXPECT_EQ(Overview().findings_size(), 0);
  EXPECT_EQ(Kinds().count("finding_raised"), 0u);
  for (int i = 0; i < 62; ++i) lag(5000);
  EXPECT_EQ(Overview().findings(0).id(), "index_stale");
}

TEST_F(ObserverTest, ClientsReportUnderTheirOwnToken) {
  v1::ReportClientRequest report = OpenedClient();
  report.mutable_hits()->set_requested_blocks(10);
  report.mutable_hits()->set_hit_blocks(4);
  report.mutable_hits()->set_answered(3);
  EXPECT_GT(Call<v1::ReportClientReply>("Coordinator/ReportClient", report).value().interval_ms(),
            0u);
  report.set_token("stolen");
  EXPECT_TRUE(absl::IsUnauthenticated(
      Call<v1::ReportClientReply>("Coordinator/ReportClient", report).status()));
  Join();
  Run(11);
  const v1::HitFigures hits = Overview().hits();
  EXPECT_EQ(hits.requested_blocks(), 10u);
  EXPECT_EQ(hits.hit_tokens(), 4u * testing::SampleNamespace().tokens_per_block());
  EXPECT_EQ(hits.answered(), 3u);
}

}  // namespace
}  // namespace cairn
