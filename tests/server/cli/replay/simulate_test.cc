#include "server/cli/replay/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(NumberBlocks, NumbersInOrderOfAppearanceAndNeverGoesBackInTime) {
  const NumberedTrace trace = NumberBlocks({{100, 700, {9, 5}}, {50, 1200, {9, 7, 5}}});
  EXPECT_EQ(trace.unique, 3u);
  EXPECT_THAT(trace.blocks, ElementsAre(0, 1, 0, 2, 1));
  EXPECT_EQ(trace.requests[1].now_ms, 100);
  EXPECT_EQ(trace.requests[1].first, 2u);
}

TEST(ParseShare, TakesAPercentageAndNothingElse) {
  EXPECT_DOUBLE_EQ(*ParseShare("dram", "3%"), 0.03);
  EXPECT_DOUBLE_EQ(*ParseShare("dram", "100%"), 1);
  EXPECT_DOUBLE_EQ(*ParseShare("dram", "0.5%"), 0.005);
  for (const char* wrong : {"", "%", "3", "0%", "-1%", "101%", "3%%", "nan%", "3 %"}) {
    const absl::Status status = ParseShare("dram", wrong).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr("dram: ")) << wrong;
  }
}

TEST(Simulate, CountsLeadingBlocksAndTokensOfWhatIsThere) {
  // The second request has its first two blocks in common with the first one; the third one has a
  // block behind a new head, which is no hit.
  const NumberedTrace trace =
      NumberBlocks({{0, 1300, {1, 2, 3}}, {1000, 1400, {1, 2, 4}}, {2000, 1024, {5, 2}}});
  const auto result = Simulate(trace, {.policy = PolicyKind::kLru, .dram_share = 1});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->references, 8u);
  EXPECT_EQ(result->hits, 2u);
  EXPECT_EQ(result->tokens, 3724u);
  EXPECT_EQ(result->hit_tokens, 1024u);
  EXPECT_THAT(SimulationJson(*result), HasSubstr("{\"token_hit_ratio\":"));
  EXPECT_THAT(SimulationJson(*result), HasSubstr("\"flash_writes_per_reference\":0.0}"));
  EXPECT_THAT(SimulationText(*result), HasSubstr("25.0 %"));
}

TEST(Simulate, NvmeHoldsWhatMemoryCannot) {
  std::vector<TraceRequest> requests;
  requests.reserve(100);
  for (uint64_t i = 0; i < 100; ++i) requests.push_back({0, 512, {i % 10}});
  const NumberedTrace trace = NumberBlocks(requests);
  const auto memory = Simulate(trace, {.policy = PolicyKind::kLru, .dram_share = 0.2});
  const auto both =
      Simulate(trace, {.policy = PolicyKind::kLru, .dram_share = 0.2, .flash_share = 1});
  ASSERT_TRUE(memory.ok() && both.ok());
  EXPECT_EQ(memory->hits, 0u);
  EXPECT_EQ(both->hits, 90u);
  EXPECT_EQ(both->flash_writes, 10u);
  EXPECT_THAT(SimulationJson(*both), HasSubstr("\"flash_writes_per_reference\":0.1}"));
}

}  // namespace
}  // namespace cairn
