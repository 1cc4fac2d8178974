// The policies on traces of different kinds, with the defaults, which were tuned to none of them.
#include <algorithm>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/cache/model/cases.h"
#include "tests/cache/model/trace_kinds.h"

namespace cairn {
namespace {

class PolicyTraces : public testing::TestWithParam<std::tuple<TraceKind, uint64_t>> {
 protected:
  SyntheticTrace trace_ = MakeTrace(std::get<TraceKind>(GetParam()), std::get<1>(GetParam()));
};

TEST_P(PolicyTraces, LearnedIsNeverHalfAPointBelowTheBetterOfTheOthers) {
  for (const double share : Cases({0.03, 0.1, 0.3})) {
    const double lru = TokenHits(trace_, PolicyKind::kLru, share);
    const double s3_fifo = TokenHits(trace_, PolicyKind::kS3Fifo, share);
    const double learned = TokenHits(trace_, PolicyKind::kLearned, share);
    EXPECT_GE(learned, std::max(lru, s3_fifo) - 0.5)
        << share << " of the blocks; lru " << lru << ", s3fifo " << s3_fifo;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PolicyTraces,
                         testing::Combine(testing::ValuesIn(kTraceKinds),
                                          testing::ValuesIn(Cases<uint64_t>({1, 2}))),
                         [](const auto& kind) {
                           return NameOf(std::get<TraceKind>(kind.param)) +
                                  std::to_string(std::get<1>(kind.param));
                         });

TEST(TraceKinds, AgentsReuseMostOfWhatTheySend) {
  const SyntheticTrace trace = MakeTrace(TraceKind::kAgents, 1);
  const double hits = TokenHits(trace, PolicyKind::kLru, 1);
  EXPECT_GT(hits, 85);
  EXPECT_LT(hits, 97);
}

TEST(TraceKinds, LearnedGainsWhereRecencyAloneFails) {
  const SyntheticTrace trace = MakeTrace(TraceKind::kScans, 3);
  EXPECT_GT(TokenHits(trace, PolicyKind::kLearned, 0.03),
            TokenHits(trace, PolicyKind::kLru, 0.03) + 3);
}

}  // namespace
}  // namespace cairn
