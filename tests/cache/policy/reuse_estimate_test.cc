#include "cache/policy/reuse_estimate.h"

#include <algorithm>
#include <list>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

uint64_t HashOf(uint64_t key) { return SeededRandom(key + 1).Next(); }

// Hits of a plain least-recently-used cache.
class PlainLru {
 public:
  explicit PlainLru(size_t room) : room_(room) {}
  bool Use(uint64_t key) {
    const auto at = std::find(keys_.begin(), keys_.end(), key);
    const bool hit = at != keys_.end();
    if (hit) keys_.erase(at);
    keys_.push_front(key);
    if (keys_.size() > room_) keys_.pop_back();
    return hit;
  }

 private:
  const size_t room_;
  std::list<uint64_t> keys_;
};

TEST(ReuseEstimate, CountsNothingBeforeMemoryWasFull) {
  ReuseEstimate estimate;
  for (int i = 0; i < 100; ++i) estimate.Reference(HashOf(1));
  EXPECT_EQ(estimate.figures().references.value(), 0u);
}

TEST(ReuseEstimate, TellsWhatHalfAndTwiceTheRoomWouldHaveGiven) {
  constexpr size_t kRoom = 200;
  ReuseEstimate estimate;
  PlainLru half(kRoom / 2);
  PlainLru same(kRoom);
  PlainLru twice(2 * kRoom);
  SeededRandom random(7);
  uint64_t hits[3] = {0, 0, 0};
  constexpr uint64_t kReferences = 40'000;
  estimate.SetRoom(kRoom);
  for (uint64_t i = 0; i < kReferences; ++i) {
    const uint64_t key = random.Below(1 + random.Below(1000));
    estimate.Reference(HashOf(key));
    hits[0] += half.Use(key) ? 1 : 0;
    hits[1] += same.Use(key) ? 1 : 0;
    hits[2] += twice.Use(key) ? 1 : 0;
  }
  const ReuseFigures& figures = estimate.figures();
  EXPECT_EQ(figures.references.value(), kReferences);
  EXPECT_EQ(figures.hits_half.value(), hits[0]);
  EXPECT_EQ(figures.hits_same.value(), hits[1]);
  EXPECT_EQ(figures.hits_twice.value(), hits[2]);
}

TEST(ReuseEstimate, ASampleTellsTheSameOfALargeRoom) {
  constexpr uint64_t kRoom = 100'000;
  constexpr uint64_t kReferences = 2'000'000;
  ReuseEstimate estimate;
  SeededRandom random(3);
  std::vector<uint64_t> hashes(2 * kRoom);
  for (uint64_t& hash : hashes) hash = random.Next();
  estimate.SetRoom(kRoom);
  for (uint64_t i = 0; i < kReferences; ++i) {
    estimate.Reference(hashes[random.Below(hashes.size())]);
  }
  // Uniform over twice the room: a quarter, a half and nearly all hit.
  const ReuseFigures& figures = estimate.figures();
  const auto references = static_cast<double>(figures.references.value());
  EXPECT_NEAR(references / kReferences, 1, 0.1);
  EXPECT_NEAR(static_cast<double>(figures.hits_half.value()) / references, 0.25, 0.02);
  EXPECT_NEAR(static_cast<double>(figures.hits_same.value()) / references, 0.5, 0.02);
  EXPECT_GT(static_cast<double>(figures.hits_twice.value()) / references, 0.85);
}

}  // namespace
}  // namespace cairn
