#include "server/node/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cairn/v1/node_admin.pb.h"
#include "tests/server/node/node_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct NodeCreate : testing::NodeFixture {
  absl::Status Create() {
    Runtime runtime = node_host.runtime();
    return Node::Create(options, runtime).status();
  }
  void ExpectRefused(const char* field) {
    const absl::Status status = Create();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("node.") + field));
  }
};

TEST_F(NodeCreate, OptionsOutOfRangeNameTheFieldAndTheRange) {
  const NodeOptions good = options;
  const std::pair<const char*, std::function<void(NodeOptions&)>> bad[] = {
      {"coordinators", [](NodeOptions& o) { o.coordinators.clear(); }},
      {"state_folder", [](NodeOptions& o) { o.state_folder.clear(); }},
      {"reactors", [](NodeOptions& o) { o.reactors = 0; }},
      {"reactors", [](NodeOptions& o) { o.reactors = 257; }},
      {"dram_bytes per reactor", [](NodeOptions& o) { o.capacity_bytes = (16u << 20) - 1; }},
      {"dram_bytes per reactor", [](NodeOptions& o) { o.reactors = 256; }},
      {"sessions_max", [](NodeOptions& o) { o.sessions_max = 0; }},
      {"sessions_max", [](NodeOptions& o) { o.sessions_max = 2001; }},
      {"chunk_bytes", [](NodeOptions& o) { o.chunk_bytes = 4096; }},
      {"chunk_bytes", [](NodeOptions& o) { o.chunk_bytes = 8u << 20; }},
      {"fetches_per_session_max", [](NodeOptions& o) { o.fetches_per_session_max = 0; }},
      {"puts_per_session_max", [](NodeOptions& o) { o.puts_per_session_max = 1u << 20; }},
      {"nvme_dwpd", [](NodeOptions& o) { o.nvme_dwpd = 1; }},
      {"nvme_daily_write_bytes", [](NodeOptions& o) { o.nvme_daily_write_bytes = 1u << 30; }},
      {"nvme_dwpd",
       [](NodeOptions& o) {
         o.nvme_paths = {"nvme"};
         o.nvme_bytes = 1u << 30;
         o.nvme_dwpd = 1;
         o.nvme_daily_write_bytes = 1u << 30;
       }},
      {"nvme_daily_write_bytes",
       [](NodeOptions& o) {
         o.nvme_paths = {"nvme"};
         o.nvme_bytes = 1u << 30;
         o.nvme_daily_write_bytes = o.nvme_segment_bytes - 1;
       }},
      {"data_listen", [](NodeOptions& o) { o.listen_address = "nonsense"; }},
      {"data_listen", [](NodeOptions& o) { o.listen_address = "10.0.2.1:65536"; }},
  };
  for (const auto& [field, damage] : bad) {
    options = good;
    damage(options);
    ExpectRefused(field);
  }
}

TEST_F(NodeCreate, AReactorThatHasNotTurnedItsLoopIsUnhealthyAndNamed) {
  options.reactors = 2;
  Runtime runtime = node_host.runtime();
  node = Node::Create(options, runtime).value();
  RunFor(2 * kReactorStallMax);
  EXPECT_TRUE(node->health().ok()) << "its threads have not begun";
  for (const size_t reactor : {0, 1}) node->PollReactor(reactor);
  RunFor(kReactorStallMax);
  EXPECT_TRUE(node->health().ok());
  node->PollReactor(0);
  RunFor(absl::Seconds(2));
  EXPECT_EQ(node->health(), absl::UnavailableError("reactor 1 has not turned its loop for 12 s"));
  node->PollReactor(1);
  EXPECT_TRUE(node->health().ok());
}

TEST_F(NodeCreate, ADamagedIdentityStopsTheStart) {
  ASSERT_TRUE(node_host.disk().WriteFileAtomically("node/identity", "damaged", 0600).ok());
  const absl::Status status = Create();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("node/identity"));
}

TEST_F(NodeCreate, AnUnknownCoordinatorAddressStopsTheStart) {
  options.coordinators = {"no address"};
  EXPECT_EQ(Create().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(NodeCreate, EachReactorListensAtThePortBehindTheOneBefore) {
  options.reactors = 3;
  options.capacity_bytes = 3u * (64u << 20);
  Start();
  EXPECT_THAT(node->reactor_addresses(),
              ElementsAre("10.0.2.1:7500", "10.0.2.1:7501", "10.0.2.1:7502"));
}

TEST_F(NodeCreate, StatusAddsTheReactorsUp) {
  const auto client = OpenClient(1);
  Store(*client, 7, 3);
  v1::GetNodeStatusReply status;
  node->FillStatus(status);
  EXPECT_EQ(status.incarnation(), 1u);
  EXPECT_EQ(status.node_id().size(), sizeof(NodeId));
  EXPECT_EQ(status.capacity_bytes(), options.capacity_bytes);
  EXPECT_EQ(status.used_bytes(), 3u * testing::kBlockBytes);
  EXPECT_EQ(status.block_count(), 3u);
  EXPECT_EQ(status.counters().puts(), 3u);
  EXPECT_EQ(status.counters().sessions(), 1u);
  EXPECT_FALSE(status.draining());
}

TEST_F(NodeCreate, WithoutACoordinatorItServesButIsNotReady) {
  const auto client = OpenClient(1);
  Store(*client, 7, 1);
  EXPECT_FALSE(node->ready());
}

}  // namespace
}  // namespace cairn
