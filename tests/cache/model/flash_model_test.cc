#include "cache/model/flash_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "cache/model/simulation.h"
#include "tests/cache/model/cases.h"
#include "tests/cache/model/workloads.h"

namespace cairn {
namespace {

struct Outcome {
  double hits = 0;    // percent of the references
  double writes = 0;  // per reference
};

uint64_t DramBlocks(const Workload& load) { return load.sessions.size() * 3 / 100; }

Outcome Admitted(const Workload& load, double writes_per_reference,
                 PolicyKind policy = PolicyKind::kLru) {
  SimulationOptions options;
  options.policy = policy;
  options.dram_blocks = DramBlocks(load);
  options.flash_blocks = load.sessions.size();
  options.flash_writes_per_reference = writes_per_reference;
  options.blocks_max = load.sessions.size();
  auto simulation = *Simulation::Create(options);
  for (const Workload::Request& request : load.requests) {
    simulation->Take({request.now_ms, request.blocks.size(), request.blocks});
  }
  const SimulationResult& result = simulation->result();
  return {100 * result.block_hit_ratio(), result.flash_writes_per_reference()};
}

// One draw per session, which no node knows: a part of them is written whole, the others never.
Outcome Drawn(const Workload& load, double part) {
  const uint64_t blocks = load.sessions.size();
  auto dram = *TierModel::Create(PolicyKind::kLru, DramBlocks(load), blocks);
  std::vector<bool> flash(blocks);
  uint64_t references = 0;
  uint64_t hits = 0;
  uint64_t writes = 0;
  const auto leave = [&](ModelBlock block) {
    if (block == kNoModelBlock || flash[block]) return;
    const double draw = static_cast<double>(KeyOf(load.sessions[block]).Word(0) >> 11) * 0x1p-53;
    if (draw >= part) return;
    flash[block] = true;
    ++writes;
  };
  for (const Workload::Request& request : load.requests) {
    const std::vector<ModelBlock>& at = request.blocks;
    size_t leading = 0;
    while (leading < at.size() && (dram->Contains(at[leading]) || flash[at[leading]])) ++leading;
    references += at.size();
    hits += leading;
    for (size_t i = at.size(); i > 0; --i) {
      if (dram->Contains(at[i - 1])) dram->Touch(at[i - 1], request.now_ms);
    }
    for (uint32_t i = 0; i < at.size(); ++i) {
      const ModelBlock before = i == 0 ? kNoModelBlock : at[i - 1];
      const bool orphan = RunStart(i) != i && !dram->Contains(before);
      if (dram->Contains(at[i]) || orphan || (i >= leading && flash[at[i]])) continue;
      leave(dram->Insert(at[i], before, i, request.now_ms).evicted);
    }
  }
  return {100.0 * static_cast<double>(hits) / static_cast<double>(references),
          static_cast<double>(writes) / static_cast<double>(references)};
}

// The draw with as many writes.
Outcome DrawnWith(const Workload& load, double writes) {
  double least = 0;
  double most = 1;
  for (int step = 0; step < 8; ++step) {
    const double middle = (least + most) / 2;
    (Drawn(load, middle).writes < writes ? least : most) = middle;
  }
  return Drawn(load, least);
}

class FlashModelWorkload : public testing::TestWithParam<Workload (*)(uint64_t)> {};

TEST_P(FlashModelWorkload, HitsAreNeverBelowThoseOfADrawPerSession) {
  const Workload load = GetParam()(1);
  const Outcome all = Admitted(load, 0);
  for (const double part : Cases({0.85, 0.5, 0.25})) {
    const Outcome admitted = Admitted(load, part * all.writes);
    const Outcome drawn = DrawnWith(load, admitted.writes);
    EXPECT_GE(admitted.hits, drawn.hits - 0.5) << load.name << ", " << part << " of all writes";
  }
}

TEST_P(FlashModelWorkload, WritesStayWithinTheBudget) {
  const Workload load = GetParam()(3);
  const double all = Admitted(load, 0).writes;
  for (const PolicyKind policy : {PolicyKind::kLru, PolicyKind::kLearned}) {
    for (const double part : Cases({0.25, 0.7})) {
      EXPECT_LE(Admitted(load, part * all, policy).writes, part * all * 1.001);
    }
  }
}

TEST_P(FlashModelWorkload, WithoutABudgetAllThatComesBackIsThere) {
  const Workload load = GetParam()(4);
  std::vector<bool> seen(load.sessions.size());
  double possible = 0;
  double references = 0;
  for (const Workload::Request& request : load.requests) {
    references += static_cast<double>(request.blocks.size());
    for (const ModelBlock block : request.blocks) {
      possible += seen[block] ? 1 : 0;
      seen[block] = true;
    }
  }
  EXPECT_NEAR(Admitted(load, 0).hits, 100 * possible / references, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FlashModelWorkload,
                         testing::ValuesIn(Cases({Chats, Agents, BatchBesideChats, Documents})));

TEST(FlashModel, WhatIsAdmittedTakesItsRunAlong) {
  auto flash = *FlashModel::Create({.capacity_blocks = 100, .blocks_max = 100});
  for (ModelBlock i = 0; i < 20; ++i) flash->Stored(i, i == 0 ? kNoModelBlock : i - 1, i);
  flash->Offer(19);
  for (ModelBlock i = 0; i < 20; ++i) EXPECT_EQ(flash->Contains(i), i >= 16) << i;
  EXPECT_EQ(flash->writes(), 4u);
  flash->Offer(18);
  EXPECT_EQ(flash->writes(), 4u);
}

TEST(FlashModel, WhatWasWrittenFirstGoesFirst) {
  auto flash = *FlashModel::Create({.capacity_blocks = 10, .blocks_max = 100});
  for (ModelBlock i = 0; i < 30; ++i) {
    flash->Stored(i, kNoModelBlock, 0);
    flash->Offer(i);
  }
  for (ModelBlock i = 0; i < 30; ++i) EXPECT_EQ(flash->Contains(i), i >= 20) << i;
}

TEST(FlashModel, NonsenseIsRefusedByName) {
  EXPECT_NE(FlashModel::Create({.capacity_blocks = 0}).status().message().find("flash"),
            std::string::npos);
  EXPECT_NE(FlashModel::Create({.capacity_blocks = 1, .writes_per_reference = -1})
                .status()
                .message()
                .find("write_budget"),
            std::string::npos);
}

}  // namespace
}  // namespace cairn
