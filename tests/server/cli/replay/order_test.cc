#include "server/cli/replay/order.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::ElementsAre;

constexpr double kAnyTime = std::numeric_limits<double>::infinity();

TraceRequest At(int64_t timestamp_ms, std::vector<uint64_t> block_ids) {
  return {timestamp_ms, 512 * block_ids.size(), std::move(block_ids)};
}

// All that may start now.
std::vector<uint32_t> TakeAll(ReplayOrderer& order, double elapsed_ms = kAnyTime) {
  std::vector<uint32_t> requests;
  while (const auto request = order.TakeReady(elapsed_ms)) requests.push_back(*request);
  return requests;
}

TEST(ReplayOrder, RequestsThatShareNothingGoSideBySideInTheTracesOrder) {
  const std::vector<TraceRequest> trace = {At(0, {1}), At(0, {2}), At(0, {3})};
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order), ElementsAre(0, 1, 2));
  EXPECT_TRUE(order.empty());
}

TEST(ReplayOrder, ARequestWaitsForWhoFirstComputesABlockOfIt) {
  const std::vector<TraceRequest> trace = {At(0, {1, 2}), At(0, {1, 3}), At(0, {4})};
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order), ElementsAre(0, 2));
  EXPECT_FALSE(order.empty());
  order.Finish(2);
  EXPECT_THAT(TakeAll(order), ElementsAre());
  order.Finish(0);
  EXPECT_THAT(TakeAll(order), ElementsAre(1));
}

TEST(ReplayOrder, OneMayWaitForSeveral) {
  const std::vector<TraceRequest> trace = {At(0, {1}), At(0, {2}), At(0, {1, 2})};
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order), ElementsAre(0, 1));
  order.Finish(0);
  EXPECT_THAT(TakeAll(order), ElementsAre());
  order.Finish(1);
  EXPECT_THAT(TakeAll(order), ElementsAre(2));
}

TEST(ReplayOrder, OnlyTheFirstToComputeABlockIsWaitedFor) {
  const std::vector<TraceRequest> trace = {At(0, {1}), At(0, {1, 2}), At(0, {1, 3})};
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order), ElementsAre(0));
  order.Finish(0);
  EXPECT_THAT(TakeAll(order), ElementsAre(1, 2));
}

TEST(ReplayOrder, ABlockTwiceInOneRequestIsNoReasonToWaitForItself) {
  const std::vector<TraceRequest> trace = {At(0, {1, 1})};
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order), ElementsAre(0));
}

TEST(ReplayOrder, ARequestIsNotEarlierThanItsTime) {
  const std::vector<TraceRequest> trace = {At(0, {1}), At(100, {2}), At(200, {3})};
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order, 99), ElementsAre(0));
  EXPECT_THAT(TakeAll(order, 100), ElementsAre(1));
  EXPECT_FALSE(order.empty());
  EXPECT_THAT(TakeAll(order, 1000), ElementsAre(2));
}

TEST(ReplayOrder, OnlyTheFirstSoManyTakePart) {
  const std::vector<TraceRequest> trace = {At(0, {1}), At(0, {2}), At(0, {3})};
  ReplayOrderer order(trace, 2);
  EXPECT_THAT(TakeAll(order), ElementsAre(0, 1));
  EXPECT_TRUE(order.empty());
}

TEST(ReplayOrder, ItLooksNoFurtherAheadThanItsWindow) {
  // All wait for the first, but for the last, which is too far away to be seen.
  std::vector<TraceRequest> trace(66, At(0, {1}));
  trace.push_back(At(0, {2}));
  ReplayOrderer order(trace, trace.size());
  EXPECT_THAT(TakeAll(order), ElementsAre(0));
  order.Finish(0);
  EXPECT_THAT(TakeAll(order), testing::SizeIs(66));
  EXPECT_TRUE(order.empty());
}

}  // namespace
}  // namespace cairn
