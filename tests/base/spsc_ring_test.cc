#include "base/spsc_ring.h"

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TEST(SpscRing, RefusesWhenFullAndLeavesTheValueWithTheCaller) {
  SpscRing<std::unique_ptr<int>> ring(2);
  EXPECT_TRUE(ring.TryPush(std::make_unique<int>(1)));
  EXPECT_TRUE(ring.TryPush(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(ring.TryPush(std::move(third)));
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(**ring.TryPop(), 1);
  EXPECT_TRUE(ring.TryPush(std::move(third)));
  EXPECT_EQ(**ring.TryPop(), 2);
  EXPECT_EQ(**ring.TryPop(), 3);
  EXPECT_FALSE(ring.TryPop().has_value());
}

TEST(SpscRing, DestroysWhatWasNeverPopped) {
  const auto shared = std::make_shared<int>(0);
  {
    SpscRing<std::shared_ptr<int>> ring(8);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(ring.TryPush(shared));
    ring.TryPop();
    EXPECT_EQ(shared.use_count(), 5);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(SpscRingDeathTest, ACapacityThatIsNoPowerOfTwoIsABug) {
  EXPECT_DEATH(SpscRing<int>(3), "has_single_bit");
  EXPECT_DEATH(SpscRing<int>(0), "has_single_bit");
}

TEST(SpscRing, BehavesAsABoundedQueue) {
  SeededRandom random(17);
  for (const size_t capacity : {1u, 2u, 64u}) {
    SpscRing<uint64_t> ring(capacity);
    std::deque<uint64_t> model;
    std::vector<uint64_t> batch(capacity + 3);
    for (int step = 0; step < 20'000; ++step) {
      switch (random.Below(3)) {
        case 0: {
          const uint64_t value = random.Next();
          ASSERT_EQ(ring.TryPush(value), model.size() < capacity);
          if (model.size() < capacity) model.push_back(value);
          break;
        }
        case 1: {
          const std::optional<uint64_t> value = ring.TryPop();
          ASSERT_EQ(value.has_value(), !model.empty());
          if (value.has_value()) {
            ASSERT_EQ(*value, model.front());
            model.pop_front();
          }
          break;
        }
        default: {
          const size_t wanted = random.Below(batch.size() + 1);
          const size_t count = ring.PopBatch(absl::MakeSpan(batch).first(wanted));
          // May be fewer than are queued: the consumer looks at the producer's index only when the
          // elements that it knows of are used up. Never none while one is there.
          ASSERT_LE(count, std::min(wanted, model.size()));
          ASSERT_EQ(count == 0, wanted == 0 || model.empty());
          for (size_t i = 0; i < count; ++i) {
            ASSERT_EQ(batch[i], model.front());
            model.pop_front();
          }
        }
      }
    }
  }
}

TEST(SpscRing, TwoThreadsSeeEveryElementOnceAndInOrder) {
  constexpr uint64_t kElements = 200'000;
  SpscRing<std::unique_ptr<uint64_t>> ring(64);
  std::thread producer([&ring] {
    for (uint64_t i = 0; i < kElements; ++i) {
      auto element = std::make_unique<uint64_t>(i);
      while (!ring.TryPush(std::move(element))) std::this_thread::yield();
    }
  });
  std::vector<std::unique_ptr<uint64_t>> batch(16);
  uint64_t expected = 0;
  uint64_t out_of_order = 0;
  while (expected < kElements) {
    size_t count = 0;
    if (expected % 3 != 0) {
      count = ring.PopBatch(absl::MakeSpan(batch));
    } else if (std::optional<std::unique_ptr<uint64_t>> element = ring.TryPop()) {
      batch[0] = *std::move(element);
      count = 1;
    }
    for (size_t i = 0; i < count; ++i) out_of_order += *batch[i] == expected++ ? 0 : 1;
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_FALSE(ring.TryPop().has_value());
}

}  // namespace
}  // namespace cairn
