// A disk that does not answer costs what must be on it, and nobody's heartbeat.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cairn/v1/overview.pb.h"
#include "server/coordinator/coordinator.h"
#include "server/registry/history_writer.h"
#include "server/registry/sqlite_registry.h"
#include "tests/server/coordinator/sample_requests.h"
#include "tests/server/registry/stuck_registry.h"
#include "tests/server/registry/stuck_store.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

using testing::Beat;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Registration;
using testing::StuckDisk;
using testing::StuckRegistry;
using testing::StuckStore;

struct StuckDiskTest : ::testing::Test {
  StuckDiskTest() : runtime(host.runtime()) {
    registry.real = OpenSqliteRegistry(":memory:", runtime.random).value();
    coordinator =
        Coordinator::Create({.state_folder = "state"}, registry, runtime, history.get()).value();
    EXPECT_TRUE(Call("Coordinator/RegisterNode", Registration(1)).ok());
  }
  ~StuckDiskTest() override {
    history_disk.LetGo();
    EXPECT_FALSE(history_disk.waited_for);
  }
  template <typename Request>
  absl::StatusOr<std::string> Call(const std::string& method, const Request& request) {
    return coordinator->Handle("/cairn.v1." + method, request.SerializeAsString());
  }
  // With a heartbeat a second.
  void Run(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      ASSERT_TRUE(Call("Coordinator/Heartbeat", Beat(1)).ok());
      for (int step = 0; step < 10; ++step) {
        world.scheduler().RunFor(absl::Milliseconds(100));
        coordinator->Step();
      }
    }
  }
  // Calls that wait for the registry's disk, each with its request.
  std::vector<std::pair<std::string, std::string>> CallsOfTheRegistry() const {
    const std::string& admin = coordinator->admin_credential();
    std::vector<std::pair<std::string, std::string>> calls;
    const auto add = [&](const char* method, auto request) {
      request.set_admin_credential(admin);
      calls.emplace_back(std::string("/cairn.v1.") + method, request.SerializeAsString());
    };
    add("Coordinator/GetStatus", v1::GetStatusRequest());
    add("Observer/GetOverview", v1::GetOverviewRequest());
    add("Coordinator/ListTenants", v1::ListTenantsRequest());
    v1::AddTenantRequest tenant;
    tenant.mutable_tenant()->set_name("late");
    add("Coordinator/AddTenant", tenant);
    v1::RemoveTenantRequest remove;
    remove.set_name("late");
    add("Coordinator/RemoveTenant", remove);
    v1::SetObjectiveRequest objective;
    objective.mutable_objective()->set_name("answered");
    objective.mutable_objective()->set_kind(v1::Objective::ANSWERED);
    objective.mutable_objective()->set_target_ppm(999'000);
    objective.mutable_objective()->set_window_s(3600);
    add("Observer/SetObjective", objective);
    v1::RemoveObjectiveRequest no_more;
    no_more.set_name("answered");
    add("Observer/RemoveObjective", no_more);
    v1::OpenSessionRequest session;
    session.set_tenant("late");
    session.set_client_id(std::string(16, 'c'));
    session.set_rights(1);
    calls.emplace_back("/cairn.v1.Coordinator/OpenSession", session.SerializeAsString());
    return calls;
  }

  SimWorld world{{}};
  SimHost& host = world.AddHost("10.0.0.1");
  Runtime runtime;
  StuckRegistry registry;
  StuckDisk history_disk;
  std::unique_ptr<HistoryStore> history =
      std::make_unique<HistoryWriter>(std::make_unique<StuckStore>(history_disk));
  std::unique_ptr<Coordinator> coordinator;
};

TEST_F(StuckDiskTest, OfTheHistoryDelaysNeitherStepsNorOverviews) {
  constexpr int kPoint_s = 10;
  Run(kPoint_s * (static_cast<int>(HistoryWriter::kRowsMax) + 10));
  v1::GetOverviewRequest look;
  look.set_admin_credential(coordinator->admin_credential());
  v1::GetOverviewReply overview;
  ASSERT_TRUE(overview.ParseFromString(Call("Observer/GetOverview", look).value()));
  EXPECT_EQ(overview.status().nodes(0).state(), "ready");
  EXPECT_LE(history_disk.begun, 1);
  const std::string text = coordinator->MetricsText();
  EXPECT_THAT(text, HasSubstr("\ncairn_coordinator_history_lost_points_total "));
  EXPECT_THAT(text, Not(HasSubstr("\ncairn_coordinator_history_lost_points_total 0\n")));
}

TEST_F(StuckDiskTest, OfTheRegistryDelaysThoseWhoNeedItAlone) {
  for (const auto& [method, request] : CallsOfTheRegistry()) {
    SCOPED_TRACE(method);
    StuckDisk disk;
    registry.disk = &disk;
    // It touches the clock, which is not thread-safe, when the disk was let go, and no sooner.
    std::thread caller([&] { coordinator->Handle(method, request).IgnoreError(); });
    while (disk.begun == 0) std::this_thread::yield();
    Run(5);
    EXPECT_THAT(coordinator->MetricsText(), HasSubstr("\ncairn_coordinator_nodes_ready 1\n"));
    disk.LetGo();
    caller.join();
    EXPECT_FALSE(disk.waited_for);
    registry.disk = nullptr;
  }
}

}  // namespace
}  // namespace cairn
