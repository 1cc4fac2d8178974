#include "cache/admission/chain_admission.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "base/random.h"
#include "tests/cache/chain_key.h"

namespace cairn {
namespace {

constexpr uint64_t kBytes = 1 << 20;

// The blocks of a prefix: of chain 0 up to `shared`, then of its own.
class Prefix {
 public:
  Prefix(uint64_t chain, uint32_t blocks, uint32_t shared = 0) {
    for (uint32_t i = 0; i < blocks; ++i) {
      ChainAdmission::Block block;
      block.key = KeyOf(i < shared ? 0 : chain, i);
      if (i > 0) block.parent = blocks_.back().key;
      block.run_key = KeyOf(RunStart(i) < shared ? 0 : chain, RunStart(i));
      block.position = i;
      block.bytes = kBytes;
      blocks_.push_back(block);
    }
  }
  const ChainAdmission::Block& operator[](size_t i) const { return blocks_[i]; }
  size_t size() const { return blocks_.size(); }

 private:
  std::vector<ChainAdmission::Block> blocks_;
};

class ChainAdmissionTest : public testing::Test {
 protected:
  void Store(const Prefix& prefix, ReturnHint hint = ReturnHint::kNone, uint32_t from = 0) {
    for (size_t i = from; i < prefix.size(); ++i) admission.Stored(prefix[i], hint);
  }
  void Use(const Prefix& prefix) {
    for (size_t i = 0; i < prefix.size(); ++i) admission.Used(prefix[i].key);
  }
  // It leaves DRAM, tail first: how many were admitted, `from` on.
  uint32_t Leave(const Prefix& prefix, double share, uint32_t from = 0) {
    uint32_t admitted = 0;
    for (size_t i = prefix.size(); i > from; --i) {
      admitted += admission.Admit(prefix[i - 1], share) ? 1 : 0;
    }
    return admitted;
  }

  std::unique_ptr<ChainTable> table = *ChainTable::Create(1 << 16);
  ChainAdmission admission{*table};
};

TEST_F(ChainAdmissionTest, AllIsAdmittedWhileTheBudgetReaches) {
  for (uint64_t chain = 1; chain <= 50; ++chain) {
    const Prefix prefix(chain, 40, 1);
    Store(prefix);
    EXPECT_EQ(Leave(prefix, 1), 40u) << chain;
  }
}

TEST_F(ChainAdmissionTest, AChainIsAdmittedWholeOrNotAtAllButForItsLastBlock) {
  uint32_t whole = 0;
  uint32_t rejected = 0;
  for (uint64_t chain = 1; chain <= 2000; ++chain) {
    const Prefix prefix(chain, 45, 1);
    Store(prefix);
    const uint32_t admitted = Leave(prefix, 0.5, /*from=*/1);
    whole += admitted >= 43 ? 1 : 0;
    rejected += admitted == 0 ? 1 : 0;
  }
  EXPECT_NEAR(whole, 1000, 150);
  EXPECT_GE(whole + rejected, 1990u);  // a new order, or a key taken for another, may cut one
}

TEST_F(ChainAdmissionTest, WhatIsAddedInheritsTheDecision) {
  for (uint64_t chain = 1; chain <= 300; ++chain) {
    const Prefix begun(chain, 20);
    Store(begun);
    const bool admitted = Leave(begun, 0.5) > 0;
    const Prefix grown(chain, 90);
    Store(grown, ReturnHint::kNone, 20);
    EXPECT_EQ(Leave(grown, 0.5, 20) > 1, admitted) << chain;
  }
}

TEST_F(ChainAdmissionTest, ASharedRootIsNoChainsIdentity) {
  Store(Prefix(0, 5));
  uint32_t admitted = 0;
  for (uint64_t chain = 1; chain <= 1000; ++chain) {
    const Prefix prefix(chain, 12, 5);
    Store(prefix, ReturnHint::kNone, 5);
    admitted += Leave(prefix, 0.5, 5) > 0 ? 1 : 0;
  }
  EXPECT_NEAR(admitted, 500, 150);
}

TEST_F(ChainAdmissionTest, ARunThatManySharedIsNoChainsIdentityEither) {
  Store(Prefix(0, 40));  // forks in the middle of the run of 32 to 63
  uint32_t admitted = 0;
  for (uint64_t chain = 1; chain <= 1000; ++chain) {
    const Prefix prefix(chain, 50, 40);
    Store(prefix, ReturnHint::kNone, 40);
    admitted += Leave(prefix, 0.5, 40) > 0 ? 1 : 0;
  }
  EXPECT_NEAR(admitted, 500, 150);
}

TEST_F(ChainAdmissionTest, ChainsThatComeBackGoFirst) {
  // Half of the chains are stored, leave and are asked for again; half are never seen again.
  for (uint64_t chain = 1; chain <= 1000; ++chain) {
    const Prefix prefix(chain, 10, 1);
    Store(prefix);
    Leave(prefix, 0.6);
    if (chain % 2 == 1) Use(prefix);
    if (chain % 2 == 1) Leave(prefix, 0.6);
    if (chain % 2 == 1) Use(prefix);
  }
  const Prefix again(5001, 10, 1);
  Store(again);
  Use(again);
  EXPECT_EQ(Leave(again, 0.5, 1), 9u);
}

TEST_F(ChainAdmissionTest, ARejectedChainThatIsAskedForAgainIsDecidedAnew) {
  const Prefix prefix(1, 20);
  Store(prefix);
  ASSERT_EQ(Leave(prefix, 0), 0u);
  EXPECT_EQ(Leave(prefix, 0), 0u);
  Store(prefix);
  for (int i = 0; i < 300; ++i) admission.Admit(Prefix(100 + i, 1)[0], 1);  // a new order
  EXPECT_EQ(Leave(prefix, 1), 20u);
}

TEST_F(ChainAdmissionTest, OneOffIsNeverAdmitted) {
  const Prefix prefix(1, 20);
  Store(prefix, ReturnHint::kOneOff);
  EXPECT_EQ(Leave(prefix, 1), 0u);
  Use(prefix);
  EXPECT_EQ(Leave(prefix, 1), 0u);
}

TEST_F(ChainAdmissionTest, WhatAnotherStoresWithoutSayingOneOffIsNotOneOffAnyMore) {
  const Prefix prefix(1, 20);
  Store(prefix, ReturnHint::kOneOff);
  Store(prefix);
  EXPECT_EQ(Leave(prefix, 1), 20u);
}

TEST_F(ChainAdmissionTest, OneOffBehindAChainIsNotTheChain) {
  const Prefix session(1, 20);
  Store(session);
  const Prefix grown(1, 30);
  Store(grown, ReturnHint::kOneOff, 20);
  EXPECT_EQ(Leave(grown, 1, 20), 0u);
  EXPECT_EQ(Leave(session, 1), 20u);
}

TEST_F(ChainAdmissionTest, WillReturnIsAlwaysAdmitted) {
  const Prefix other(2, 20);
  Store(other);
  EXPECT_EQ(Leave(other, 0), 0u);
  const Prefix prefix(1, 20);
  Store(prefix, ReturnHint::kWillReturn);
  EXPECT_EQ(Leave(prefix, 0), 20u);
  Store(prefix);  // silence takes nothing back
  EXPECT_EQ(Leave(prefix, 0), 20u);
}

TEST_F(ChainAdmissionTest, ForgottenBlocksHaveTheirRunForAChain) {
  uint32_t whole = 0;
  uint32_t rejected = 0;
  for (uint64_t chain = 1; chain <= 1000; ++chain) {
    const Prefix prefix(chain, 64);  // never stored here
    const uint32_t admitted = Leave(prefix, 0.5, 32);
    whole += admitted >= 31 ? 1 : 0;
    rejected += admitted == 0 ? 1 : 0;
  }
  EXPECT_NEAR(whole, 500, 150);
  EXPECT_GE(whole + rejected, 990u);
}

TEST_F(ChainAdmissionTest, ReactorsOfANodeDecideAlike) {
  ChainAdmission other(*table);
  for (uint64_t chain = 1; chain <= 200; ++chain) {
    const Prefix prefix(chain, 60);
    for (size_t i = 0; i < prefix.size(); ++i) {
      (i < 32 ? admission : other).Stored(prefix[i], ReturnHint::kNone);
    }
    const bool admitted = other.Admit(prefix[40], 0.5);
    EXPECT_EQ(admission.Admit(prefix[20], 0.5), admitted) << chain;
  }
}

TEST_F(ChainAdmissionTest, NothingIsAllocatedPerCall) {
  const Prefix warm(1, 40);
  Store(warm);
  Leave(warm, 0.5);
  std::vector<Prefix> prefixes;
  for (uint64_t chain = 2; chain <= 300; ++chain) prefixes.emplace_back(chain, 40, 1);
  if (!AllocationsAreCounted()) GTEST_SKIP() << "this build does not count allocations";
  EXPECT_EQ(AllocationsOf([&] {
              for (const Prefix& prefix : prefixes) {
                Store(prefix);
                Leave(prefix, 0.5);
                Use(prefix);
              }
            }),
            0u);
}

}  // namespace
}  // namespace cairn
