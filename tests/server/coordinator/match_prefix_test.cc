#include "server/coordinator/match_prefix.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "server/coordinator/chain_keys.h"
#include "tests/server/coordinator/sample_requests.h"
#include "transport/sim/sim_scheduler.h"

namespace cairn {
namespace {

using testing::Beat;
using ::testing::HasSubstr;
using testing::Key;
using testing::Node;
using testing::Registration;
using testing::ToBytes;
using ::testing::UnorderedElementsAre;

constexpr TenantId kTenant = 1;

struct Share {
  uint64_t node = 0;
  uint32_t leading = 0;
  uint32_t dram = 0;
  uint32_t nvme = 0;
  friend bool operator==(const Share&, const Share&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Share& share) {
    return out << "node " << share.node << ": " << share.leading << " leading, " << share.dram
               << " dram, " << share.nvme << " nvme";
  }
};

struct MatchPrefixTest : ::testing::Test {
  // Slots are given in the order of joining: node i has slot i.
  MatchPrefixTest() {
    for (uint64_t node = 0; node < kNodes; ++node) {
      bool restarted = false;
      CAIRN_CHECK(members.Register(Registration(node), &restarted).ok());
      SetReady(node, true);
    }
  }
  void SetReady(uint64_t node, bool ready) {
    ASSERT_TRUE(members.Heartbeat(Beat(node, 1, ready)).ok());
  }
  void Hold(uint64_t first, uint64_t count, NodeSlot node, Tier tier = Tier::kDram,
            TenantId tenant = kTenant) {
    for (uint64_t i = first; i < first + count; ++i) index.Add(tenant, Key(i), {node, 0}, tier);
  }
  static v1::MatchPrefixRequest Ask(size_t count) {
    std::vector<BlockKey> keys;
    for (uint64_t i = 0; i < count; ++i) keys.push_back(Key(i));
    v1::MatchPrefixRequest request;
    request.set_keys(ToBytes(keys));
    return request;
  }
  v1::MatchPrefixReply Answer(size_t count) const {
    return MatchPrefix(Ask(count), kTenant, index, members).value();
  }
  static std::vector<Share> SharesOf(const v1::MatchPrefixReply& reply) {
    std::vector<Share> shares;
    for (const auto& told : reply.nodes()) {
      uint64_t node = 0;
      while (told.node_id() != ToBytes(Node(node))) ++node;
      shares.push_back({node, told.leading_blocks(), told.dram_blocks(), told.nvme_blocks()});
    }
    return shares;
  }

  static constexpr uint64_t kNodes = 4;
  SimScheduler clock{1};
  Membership members{absl::Seconds(3), clock};
  PrefixIndex index{1u << 22};
};

TEST_F(MatchPrefixTest, TheNodesAnswerTogetherAndEachForItself) {
  Hold(0, 5, 1);
  Hold(5, 3, 2);
  Hold(9, 2, 1);
  const v1::MatchPrefixReply reply = Answer(12);
  EXPECT_EQ(reply.blocks(), 8u) << "up to the first gap";
  EXPECT_EQ(reply.dram_blocks(), 8u);
  EXPECT_THAT(SharesOf(reply), UnorderedElementsAre(Share{1, 5, 5, 0}, Share{2, 0, 3, 0}));
}

TEST_F(MatchPrefixTest, ADriveCountsForThePrefixAndNotForItsMemory) {
  Hold(0, 3, 1);
  Hold(3, 2, 1, Tier::kNvme);
  Hold(5, 4, 1);
  const v1::MatchPrefixReply reply = Answer(9);
  EXPECT_EQ(reply.blocks(), 9u);
  EXPECT_EQ(reply.dram_blocks(), 3u) << "memory is told from the start on";
  EXPECT_THAT(SharesOf(reply), UnorderedElementsAre(Share{1, 9, 7, 2}));
}

TEST_F(MatchPrefixTest, AnotherNodesMemoryMakesUpForADrive) {
  Hold(0, 4, 1, Tier::kNvme);
  Hold(0, 2, 2);
  const v1::MatchPrefixReply reply = Answer(4);
  EXPECT_EQ(reply.blocks(), 4u);
  EXPECT_EQ(reply.dram_blocks(), 2u);
  EXPECT_THAT(SharesOf(reply), UnorderedElementsAre(Share{1, 4, 0, 4}, Share{2, 2, 2, 0}));
}

TEST_F(MatchPrefixTest, NodesThatAreNotReadyHoldNothing) {
  Hold(0, 4, 1);
  Hold(0, 1, 2);
  SetReady(1, false);
  const v1::MatchPrefixReply reply = Answer(4);
  EXPECT_EQ(reply.blocks(), 1u);
  EXPECT_THAT(SharesOf(reply), UnorderedElementsAre(Share{2, 1, 1, 0}));
}

TEST_F(MatchPrefixTest, AnotherTenantsBlocksLookAbsent) {
  Hold(0, 4, 1, Tier::kDram, /*tenant=*/2);
  const std::string foreign = Answer(4).SerializeAsString();
  index.Forget(1);
  EXPECT_EQ(foreign, Answer(4).SerializeAsString()) << "byte for byte";
  EXPECT_EQ(Answer(4).blocks(), 0u);
}

TEST_F(MatchPrefixTest, BadQuestionsNameTheField) {
  v1::MatchPrefixRequest none = Ask(1);
  none.clear_keys();
  v1::MatchPrefixRequest odd = Ask(2);
  odd.mutable_keys()->pop_back();
  for (const v1::MatchPrefixRequest& request : {none, odd, Ask(kLocateKeysMax + 1)}) {
    const absl::Status status = MatchPrefix(request, kTenant, index, members).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("keys"));
  }
  EXPECT_TRUE(MatchPrefix(Ask(kLocateKeysMax), kTenant, index, members).ok());
}

}  // namespace
}  // namespace cairn
