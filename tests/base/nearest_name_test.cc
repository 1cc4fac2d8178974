#include "base/nearest_name.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

const std::vector<std::string> kKnown = {"status", "top", "tenant", "replay"};

TEST(NearestName, ASlipOfTheFingerFindsItsName) {
  EXPECT_EQ(NearestName("staus", kKnown), "status");
  EXPECT_EQ(NearestName("tenent", kKnown), "tenant");
  EXPECT_EQ(NearestName("replays", kKnown), "replay");
}

TEST(NearestName, TheNearerOfTwoWins) {
  EXPECT_EQ(NearestName("tp", {"top", "tip.top"}), "top");
  EXPECT_EQ(NearestName("aaab", {"aabb", "aaab"}), "aaab");
}

TEST(NearestName, WhatIsFarFromAllHasNone) {
  EXPECT_EQ(NearestName("coordinator", kKnown), "");
  EXPECT_EQ(NearestName("x", {}), "");
}

TEST(NearestName, ALongNameMayHaveAThirdWrong) {
  EXPECT_EQ(NearestName("coordnatr_listn", {"coordinator_listen"}), "coordinator_listen");
  EXPECT_EQ(NearestName("node.dram", {"node.dram_bytes"}), "");
}

}  // namespace
}  // namespace cairn
