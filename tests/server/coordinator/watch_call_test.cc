#include "server/coordinator/watch_call.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "cairn/v1/coordinator.grpc.pb.h"
#include "proto/credential.h"
#include "proto/token.h"
#include "server/coordinator/coordinator_server.h"
#include "server/registry/sqlite_registry.h"
#include "tests/proto/sample_namespace.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

using testing::Beat;
using testing::Changes;
using testing::Key;
using testing::MakeId;
using testing::Registration;
using testing::Report;
using testing::ToBytes;

constexpr auto kPatience = std::chrono::seconds(20);

// A coordinator on a loopback port and a client of it, over real gRPC.
struct WatchCallTest : ::testing::Test {
  WatchCallTest() : runtime(host.runtime()) {
    registry = OpenSqliteRegistry(":memory:", runtime.random).value();
    coordinator = Coordinator::Create({.state_folder = "state"}, *registry, runtime).value();
    server = CoordinatorServer::Start({.listen_address = "127.0.0.1:0"}, *coordinator).value();
    stub = v1::Coordinator::NewStub(
        grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  }
  template <typename Reply, typename Request>
  Reply Call(const std::string& method, const Request& request) {
    Reply reply;
    const auto bytes =
        coordinator->Handle("/cairn.v1.Coordinator/" + method, request.SerializeAsString());
    EXPECT_TRUE(bytes.ok() && reply.ParseFromString(*bytes)) << bytes.status();
    return reply;
  }
  std::string Token() {
    v1::AddTenantRequest add;
    add.set_admin_credential(coordinator->admin_credential());
    add.mutable_tenant()->set_name("a");
    const std::string bytes = Call<v1::AddTenantReply>("AddTenant", add).secret();
    TenantSecret secret;
    std::memcpy(secret.data(), bytes.data(), secret.size());
    const Credential credential = MakeCredential(secret);
    v1::OpenSessionRequest open;
    open.set_tenant("a");
    open.set_credential(credential.data(), credential.size());
    open.set_client_id(ToBytes(MakeId<ClientId>(1)));
    open.set_rights(kRightRead);
    *open.mutable_ns() = testing::SampleNamespace();
    return Call<v1::OpenSessionReply>("OpenSession", open).token();
  }
  void JoinNode() {
    Call<v1::RegisterNodeReply>("RegisterNode", Registration(1));
    Call<v1::HeartbeatReply>("Heartbeat", Beat(1));
    Call<v1::ReportReply>("Report", Report(1, v1::ReportRequest::SNAPSHOT_BEGIN));
    Call<v1::ReportReply>("Report", Report(2, v1::ReportRequest::SNAPSHOT_END));
  }
  void Tell(uint64_t sequence, const BlockKey& key) {
    Call<v1::ReportReply>("Report", Report(sequence, v1::ReportRequest::DELTA, Changes({key})));
  }
  std::unique_ptr<grpc::ClientReader<v1::WatchReply>> Open(grpc::ClientContext& context,
                                                           const std::string& token) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::WatchRequest request;
    request.set_token(token);
    return stub->Watch(&context, request);
  }
  bool Eventually(const std::string& metric) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (coordinator->MetricsText().find(metric) == std::string::npos) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  SimWorld world{{}};
  SimHost& host = world.AddHost("10.0.0.1");
  Runtime runtime;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<CoordinatorServer> server;
  std::unique_ptr<v1::Coordinator::Stub> stub;
};

TEST_F(WatchCallTest, RepliesComeAsTheyHappen) {
  const std::string token = Token();
  JoinNode();
  grpc::ClientContext context;
  const auto reader = Open(context, token);
  v1::WatchReply reply;
  ASSERT_TRUE(reader->Read(&reply)) << "the first comes at once";
  EXPECT_TRUE(reply.gap());
  for (uint64_t i = 0; i < 3; ++i) {
    Tell(3 + i, Key(i));
    ASSERT_TRUE(reader->Read(&reply));
    ASSERT_EQ(reply.changes_size(), 1);
    EXPECT_EQ(reply.changes(0).key(), ToBytes(Key(i)));
  }
}

TEST_F(WatchCallTest, AStrangerIsRefused) {
  grpc::ClientContext context;
  const auto reader = Open(context, "no token");
  v1::WatchReply reply;
  EXPECT_FALSE(reader->Read(&reply));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(WatchCallTest, AWatcherThatLeavesIsForgotten) {
  const std::string token = Token();
  {
    grpc::ClientContext context;
    const auto reader = Open(context, token);
    v1::WatchReply reply;
    ASSERT_TRUE(reader->Read(&reply));
    EXPECT_TRUE(Eventually("\ncairn_coordinator_watches 1\n"));
    context.TryCancel();
    reader->Finish();
  }
  EXPECT_TRUE(Eventually("\ncairn_coordinator_watches 0\n"));
}

TEST_F(WatchCallTest, AStoppingCoordinatorSaysSo) {
  const std::string token = Token();
  grpc::ClientContext context;
  const auto reader = Open(context, token);
  v1::WatchReply reply;
  ASSERT_TRUE(reader->Read(&reply));
  server.reset();
  EXPECT_FALSE(reader->Read(&reply));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(status.error_message().find("watch at another one"), std::string::npos)
      << status.error_message();
}

}  // namespace
}  // namespace cairn
