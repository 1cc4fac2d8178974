#include "client/bounce_pool.h"

#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "transport/sim/sim_world.h"

namespace cairn {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPoolBytes = 64 * kPage;

struct BouncePoolTest : ::testing::Test {
  SimWorld world{{}};
  std::unique_ptr<Worker> worker = *world.AddHost("10.0.0.1").CreateWorker();
  BouncePool pool{*worker, kPoolBytes};
};

TEST_F(BouncePoolTest, GivesRegisteredMemoryOfItsSize) {
  ASSERT_TRUE(pool.Allocate(1).has_value());
  EXPECT_EQ(pool.region().size_bytes(), kPoolBytes);
  pool.region().base()[kPoolBytes - 1] = std::byte{1};
}

TEST_F(BouncePoolTest, AFullPoolSaysNoAndARequestBeyondItNeverFits) {
  EXPECT_FALSE(pool.Allocate(kPoolBytes + 1).has_value());
  EXPECT_EQ(pool.Allocate(kPoolBytes), 0u);
  EXPECT_FALSE(pool.Allocate(1).has_value());
  pool.Free(0, kPoolBytes);
  EXPECT_EQ(pool.Allocate(kPoolBytes), 0u);
}

TEST_F(BouncePoolTest, SizesAreRoundedToPages) {
  EXPECT_EQ(pool.Allocate(1), 0u);
  EXPECT_EQ(pool.Allocate(kPage + 1), kPage);
  EXPECT_EQ(pool.Allocate(kPage), 3 * kPage);
}

TEST_F(BouncePoolTest, NeighboursGrowTogetherInAnyOrderOfTheirEnd) {
  const std::vector<std::vector<int>> orders = {{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}};
  for (const std::vector<int>& order : orders) {
    std::vector<uint64_t> offsets;
    for (int i = 0; i < 3; ++i) offsets.push_back(pool.Allocate(kPoolBytes / 4).value());
    for (const int i : order) pool.Free(offsets[static_cast<size_t>(i)], kPoolBytes / 4);
    EXPECT_EQ(pool.Allocate(kPoolBytes), 0u);
    pool.Free(0, kPoolBytes);
  }
}

TEST_F(BouncePoolTest, NoTwoBlocksShareAByteAndNoneIsLost) {
  SeededRandom random(1);
  std::map<uint64_t, uint64_t> held;  // offset -> bytes
  for (int step = 0; step < 20'000; ++step) {
    if (held.empty() || random.Below(2) == 0) {
      const uint64_t bytes = 1 + random.Below(8 * kPage);
      const std::optional<uint64_t> offset = pool.Allocate(bytes);
      if (!offset.has_value()) continue;
      ASSERT_LE(*offset + bytes, kPoolBytes);
      const auto after = held.lower_bound(*offset);
      ASSERT_TRUE(after == held.end() || *offset + bytes <= after->first) << "step " << step;
      ASSERT_TRUE(after == held.begin() ||
                  std::prev(after)->first + std::prev(after)->second <= *offset)
          << "step " << step;
      held[*offset] = bytes;
    } else {
      const auto victim = std::next(held.begin(), static_cast<int>(random.Below(held.size())));
      pool.Free(victim->first, victim->second);
      held.erase(victim);
    }
  }
  for (const auto& [offset, bytes] : held) pool.Free(offset, bytes);
  EXPECT_EQ(pool.Allocate(kPoolBytes), 0u);
}

}  // namespace
}  // namespace cairn
