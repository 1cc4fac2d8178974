#include "cache/admission/chain_table.h"

#include <algorithm>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace cairn {
namespace {

BlockKey KeyOf(uint64_t number) {
  BlockKey key;
  SeededRandom random(number);
  random.Fill(absl::MakeSpan(key.bytes));
  return key;
}

TEST(ChainTable, WhatWasInsertedIsFoundWithItsChain) {
  auto table = *ChainTable::Create(4096);
  for (uint32_t i = 0; i < 1000; ++i) table->Insert(KeyOf(i), i);
  for (uint32_t i = 0; i < 1000; ++i) {
    const auto slot = table->Find(KeyOf(i));
    ASSERT_TRUE(slot.has_value()) << i;
    EXPECT_EQ(table->Load(*slot).chain, i);
    EXPECT_EQ(table->Load(*slot).uses, 1u);
  }
}

TEST(ChainTable, StrangersAreHardlyEverFound) {
  auto table = *ChainTable::Create(4096);
  for (uint32_t i = 0; i < 8192; ++i) table->Insert(KeyOf(i), 0);
  int found = 0;
  for (uint32_t i = 0; i < 100'000; ++i) found += table->Find(KeyOf(1'000'000 + i)).has_value();
  EXPECT_LE(found, 10);  // 8 of 2^19 each
}

TEST(ChainTable, TheOldestAreForgottenWhenThereIsNoRoom) {
  constexpr uint32_t kBlocks = 4096;
  auto table = *ChainTable::Create(kBlocks);
  for (uint32_t i = 0; i < 4 * kBlocks; ++i) table->Insert(KeyOf(i), 0);
  const auto known = [&](uint32_t begin, uint32_t end) {
    double count = 0;
    for (uint32_t i = begin; i < end; ++i) count += table->Find(KeyOf(i)).has_value();
    return count / (end - begin);
  };
  EXPECT_GE(known(4 * kBlocks - kBlocks / 4, 4 * kBlocks), 0.99);
  EXPECT_LE(known(0, 2 * kBlocks), 0.01);
}

TEST(ChainTable, WhatIsUsedIsKeptLonger) {
  constexpr uint32_t kBlocks = 4096;
  auto table = *ChainTable::Create(kBlocks);
  constexpr uint32_t kUsed = 256;
  for (uint32_t i = 0; i < kUsed; ++i) table->Insert(KeyOf(i), 0);
  for (uint32_t i = kUsed; i < 8 * kBlocks; ++i) {
    table->Insert(KeyOf(i), 0);
    const auto slot = table->Find(KeyOf(i % kUsed));
    if (!slot.has_value()) continue;
    RememberedBlock block = table->Load(*slot);
    block.stamp = table->stamp();
    table->Store(*slot, block);
  }
  uint32_t kept = 0;
  for (uint32_t i = 0; i < kUsed; ++i) kept += table->Find(KeyOf(i)).has_value();
  EXPECT_GE(kept, kUsed / 100 * 95);
}

TEST(ChainTable, AnyNumberOfBlocksMakesATable) {
  for (const size_t blocks : {size_t{0}, size_t{1}, kRememberedBlocksMin + 1}) {
    auto table = ChainTable::Create(blocks);
    ASSERT_TRUE(table.ok()) << blocks;
    (*table)->Insert(KeyOf(1), 7);
    EXPECT_TRUE((*table)->Find(KeyOf(1)).has_value());
  }
}

TEST(ChainTable, ManyThreadsMayUseIt) {
  auto table = *ChainTable::Create(4096);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&table, thread] {
      for (uint64_t i = 0; i < 20'000; ++i) {
        const BlockKey key = KeyOf(i % 5'000 + thread * 2'500);
        const auto slot = table->Find(key);
        if (!slot.has_value()) {
          table->Insert(key, table->AddChain({}));
          continue;
        }
        RememberedBlock block = table->Load(*slot);
        block.uses = std::min<uint64_t>(block.uses + 1, kUsesMax);
        table->Store(*slot, block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  table->Insert(KeyOf(1), 1);
  EXPECT_TRUE(table->Find(KeyOf(1)).has_value());
}

}  // namespace
}  // namespace cairn
