#include "server/coordinator/coordinator_server.h"

#include <array>
#include <chrono>
#include <memory>
#include <thread>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "cairn/v1/coordinator.grpc.pb.h"
#include "server/registry/sqlite_registry.h"
#include "tests/server/coordinator/sample_requests.h"
#include "tests/server/registry/stuck_registry.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

using testing::Beat;
using testing::Registration;
using testing::StuckDisk;
using testing::StuckRegistry;

constexpr auto kPatience = std::chrono::seconds(30);

std::chrono::system_clock::time_point Soon() {
  return std::chrono::system_clock::now() + kPatience;
}

// On a loopback port, over real gRPC.
struct CoordinatorServerTest : ::testing::Test {
  CoordinatorServerTest() : runtime(host.runtime()) {
    registry.real = OpenSqliteRegistry(":memory:", runtime.random).value();
    coordinator = Coordinator::Create({.state_folder = "state"}, registry, runtime).value();
    server = CoordinatorServer::Start({.listen_address = "127.0.0.1:0"}, *coordinator).value();
    stub = v1::Coordinator::NewStub(
        grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  }

  SimWorld world{{}};
  SimHost& host = world.AddHost("10.0.0.1");
  Runtime runtime;
  StuckRegistry registry;
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<CoordinatorServer> server;
  std::unique_ptr<v1::Coordinator::Stub> stub;
};

// One call at the registry, which its server answers whenever it likes.
struct Asked {
  grpc::ClientContext context;
  v1::ListTenantsReply reply;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ListTenantsReply>> reader;
};

TEST_F(CoordinatorServerTest, ManyCallsThatWaitForTheRegistryHoldUpNoHeartbeat) {
  grpc::ClientContext registering;
  v1::RegisterNodeReply registered;
  ASSERT_TRUE(stub->RegisterNode(&registering, Registration(1), &registered).ok());
  StuckDisk disk;
  registry.disk = &disk;
  v1::ListTenantsRequest list;
  list.set_admin_credential(coordinator->admin_credential());
  grpc::CompletionQueue queue;
  std::array<Asked, 64> asked;  // more than gRPC has threads
  for (Asked& one : asked) {
    one.context.set_deadline(Soon());
    one.reader = stub->AsyncListTenants(&one.context, list, &queue);
    one.reader->Finish(&one.reply, &one.status, &one);
  }
  while (disk.begun == 0) std::this_thread::yield();
  for (int i = 0; i < 8; ++i) {
    grpc::ClientContext beating;
    beating.set_deadline(Soon());
    v1::HeartbeatReply beat;
    const grpc::Status status = stub->Heartbeat(&beating, Beat(1), &beat);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) break;
  }
  registry.disk = nullptr;
  disk.LetGo();
  for (size_t i = 0; i < asked.size(); ++i) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
  }
  for (const Asked& one : asked) EXPECT_TRUE(one.status.ok()) << one.status.error_message();
  EXPECT_FALSE(disk.waited_for);
}

}  // namespace
}  // namespace cairn
