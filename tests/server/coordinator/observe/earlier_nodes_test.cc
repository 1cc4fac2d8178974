#include "server/coordinator/observe/earlier_nodes.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

using Node = EarlierNodes::Node;

Node MakeNode(const char* id, uint64_t incarnation, uint64_t evicted) {
  Node node;
  node.set_node_id(id);
  node.set_incarnation(incarnation);
  node.mutable_counters()->set_evicted_blocks(evicted);
  return node;
}

struct EarlierNodesTest : ::testing::Test {
  EarlierNodesTest() { *status.add_nodes() = MakeNode("a", 1, 100); }
  uint64_t Growth(const Node& now) const {
    return EarlierNodes(status).Growth(
        now, [](const Node& counted) { return counted.counters().evicted_blocks(); });
  }
  v1::GetStatusReply status;
};

TEST_F(EarlierNodesTest, InOneLifeItIsTheDifference) {
  EXPECT_EQ(Growth(MakeNode("a", 1, 130)), 30u);
  EXPECT_EQ(Growth(MakeNode("a", 1, 100)), 0u);
}

TEST_F(EarlierNodesTest, OfAnotherLifeOrANewNodeItIsAll) {
  EXPECT_EQ(Growth(MakeNode("a", 2, 130)), 130u);
  EXPECT_EQ(Growth(MakeNode("b", 1, 130)), 130u);
  EXPECT_TRUE(EarlierNodes(status).has(MakeNode("a", 2, 0)));
  EXPECT_FALSE(EarlierNodes(status).has(MakeNode("b", 1, 0)));
}

TEST_F(EarlierNodesTest, OfACounterThatFellItIsAllAndNeverAGreatNumber) {
  EXPECT_EQ(Growth(MakeNode("a", 1, 7)), 7u);
}

}  // namespace
}  // namespace cairn
