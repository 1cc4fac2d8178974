#include "cache/model/tier_model.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

TEST(TierModel, TellsWhatWentForABlock) {
  const auto tier = TierModel::Create(PolicyKind::kLru, 2, 10).value();
  EXPECT_EQ(tier->Insert(0, kNoModelBlock, 0, 0).evicted, kNoModelBlock);
  EXPECT_EQ(tier->Insert(1, kNoModelBlock, 0, 1000).evicted, kNoModelBlock);
  tier->Touch(0, 2000);
  EXPECT_EQ(tier->Insert(2, kNoModelBlock, 0, 3000).evicted, 1u);
  EXPECT_TRUE(tier->Contains(0));
  EXPECT_FALSE(tier->Contains(1));
  EXPECT_EQ(tier->size(), 2u);
}

TEST(TierModel, AParentIsNeverTheVictimOfItsChild) {
  const auto tier = TierModel::Create(PolicyKind::kLru, 1, 10).value();
  ASSERT_TRUE(tier->Insert(0, kNoModelBlock, 2, 0).done);
  EXPECT_FALSE(tier->Insert(1, 0, 3, 1000).done);
  EXPECT_TRUE(tier->Contains(0));
}

TEST(TierModel, ACapacityOutOfRangeIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(TierModel::Create(PolicyKind::kLru, 0, 10).status()));
}

class TierModelProperty : public testing::TestWithParam<PolicyKind> {};

TEST_P(TierModelProperty, ATailIsNeverThereWithoutItsHead) {
  constexpr uint32_t kChains = 40;
  constexpr uint32_t kLength = 70;
  const auto tier = TierModel::Create(GetParam(), 500, kChains * kLength).value();
  SeededRandom random(5);
  int64_t now_ms = 0;
  for (int round = 0; round < 3000; ++round) {
    now_ms += static_cast<int64_t>(random.Below(3000));
    const auto chain = static_cast<ModelBlock>(random.Below(kChains)) * kLength;
    const auto length = static_cast<uint32_t>(1 + random.Below(kLength));
    for (uint32_t i = 0; i < length; ++i) {
      if (tier->Contains(chain + i)) {
        tier->Touch(chain + i, now_ms);
      } else if (RunStart(i) == i || tier->Contains(chain + i - 1)) {
        tier->Insert(chain + i, i == 0 ? kNoModelBlock : chain + i - 1, i, now_ms);
      }
    }
    ASSERT_LE(tier->size(), 500u);
    for (ModelBlock block = 0; block < kChains * kLength; ++block) {
      const uint32_t position = block % kLength;
      if (RunStart(position) == position || !tier->Contains(block)) continue;
      ASSERT_TRUE(tier->Contains(block - 1)) << block;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TierModelProperty,
                         testing::Values(PolicyKind::kLru, PolicyKind::kS3Fifo,
                                         PolicyKind::kLearned));

}  // namespace
}  // namespace cairn
