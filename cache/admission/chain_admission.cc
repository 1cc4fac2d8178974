#include "cache/admission/chain_admission.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr uint32_t kBranchChildren = 4;
constexpr uint32_t kSharedRootChildren = 16;
static_assert(kSharedRootChildren <= kChildrenCounted);

// Of a chain that begins behind a block with so many children.
ChainOrigin OriginBehind(uint32_t children) {
  if (children >= kSharedRootChildren) return ChainOrigin::kSharedRoot;
  return children >= kBranchChildren ? ChainOrigin::kBranch : ChainOrigin::kFork;
}

// What comes behind it is in another run, of which this reactor may know nothing.
bool EndsRun(uint32_t position) { return RunStart(position + 1) == position + 1; }

}  // namespace

ChainId ChainAdmission::BeginChain(const BlockKey& root, ChainOrigin origin, ReturnHint hint) {
  RememberedChain chain{};
  chain.draw = static_cast<uint32_t>(root.Word(1));
  chain.origin = static_cast<uint64_t>(origin);
  chain.hint = static_cast<uint64_t>(hint);
  return table_.AddChain(chain);
}

// Of a new block: its parent's, when it is the first behind it and the engine says the same of it.
ChainId ChainAdmission::ChainFor(const Block& block, ReturnHint hint) {
  const std::optional<BlockSlot> slot =
      block.parent == BlockKey{} ? std::nullopt : table_.Find(block.parent);
  if (!slot.has_value()) return BeginChain(block.key, ChainOrigin::kRoot, hint);
  RememberedBlock parent = table_.Load(*slot);
  const auto children = static_cast<uint32_t>(parent.children);
  parent.children = std::min(children + 1, kChildrenCounted);
  table_.Store(*slot, parent);
  const auto id = static_cast<ChainId>(parent.chain);
  const bool same_hint = table_.LoadChain(id).hint == static_cast<uint64_t>(hint);
  return children == 0 && same_hint ? id : BeginChain(block.key, OriginBehind(children), hint);
}

void ChainAdmission::Stored(const Block& block, ReturnHint hint) {
  // Memory is for others first; on NVMe it is worth what its like is.
  if (hint == ReturnHint::kLowPriority) hint = ReturnHint::kNone;
  const std::optional<BlockSlot> slot = table_.Find(block.key);
  if (slot.has_value()) {
    const auto id = static_cast<ChainId>(table_.Load(*slot).chain);
    RememberedChain chain = table_.LoadChain(id);
    // Silence takes back that it was one-off, but not that it will return.
    const bool stays =
        hint == ReturnHint::kNone && chain.hint == static_cast<uint64_t>(ReturnHint::kWillReturn);
    if (!stays) chain.hint = static_cast<uint64_t>(hint);
    table_.StoreChain(id, chain);
    return UsedAgain(*slot);
  }
  const ChainId id = ChainFor(block, hint);
  Lengthen(id, block.position);
  table_.Insert(block.key, id);
}

void ChainAdmission::Used(const BlockKey& key) {
  if (const std::optional<BlockSlot> slot = table_.Find(key)) UsedAgain(*slot);
}

void ChainAdmission::UsedAgain(BlockSlot slot) {
  RememberedBlock block = table_.Load(slot);
  if (block.left_class != 0) classes_.Returned(static_cast<LeavingClass>(block.left_class));
  block.left_class = 0;
  block.stamp = table_.stamp();
  block.uses = std::min(static_cast<uint32_t>(block.uses) + 1, kUsesMax);
  table_.Store(slot, block);
  const auto id = static_cast<ChainId>(block.chain);
  RememberedChain chain = table_.LoadChain(id);
  const auto decision = static_cast<ChainDecision>(chain.decision);
  if (chain.used_again == 1 && decision != ChainDecision::kRejected) return;
  // What has come back is another case than what was decided.
  chain.used_again = 1;
  chain.decision = static_cast<uint64_t>(ChainDecision::kNone);
  table_.StoreChain(id, chain);
}

// A block that was forgotten, or that an earlier process left in DRAM, has its run for its chain.
BlockSlot ChainAdmission::SlotOf(const Block& block) {
  if (const std::optional<BlockSlot> slot = table_.Find(block.key)) return *slot;
  const std::optional<BlockSlot> head = table_.Find(block.run_key);
  const ChainId id = head.has_value()
                         ? static_cast<ChainId>(table_.Load(*head).chain)
                         : BeginChain(block.run_key, ChainOrigin::kRoot, ReturnHint::kNone);
  Lengthen(id, block.position);
  if (!head.has_value() && block.run_key != block.key) InsertForgotten(block.run_key, id);
  return InsertForgotten(block.key, id);
}

// It may have children: it is no leaf.
BlockSlot ChainAdmission::InsertForgotten(const BlockKey& key, ChainId chain) {
  const BlockSlot slot = table_.Insert(key, chain);
  RememberedBlock block = table_.Load(slot);
  block.children = 1;
  table_.Store(slot, block);
  return slot;
}

void ChainAdmission::Lengthen(ChainId id, uint32_t position) {
  RememberedChain chain = table_.LoadChain(id);
  const uint32_t length = std::min(position + 1, kChainLengthMax);
  chain.length = std::max(static_cast<uint32_t>(chain.length), length);
  table_.StoreChain(id, chain);
}

ChainAdmission::Leaving ChainAdmission::Leave(const Block& block) {
  const BlockSlot slot = SlotOf(block);
  RememberedBlock remembered = table_.Load(slot);
  Leaving leaving{};
  leaving.chain = static_cast<ChainId>(remembered.chain);
  const RememberedChain chain = table_.LoadChain(leaving.chain);
  if (chain.used_again == 1) leaving.traits.uses = remembered.uses > 1 ? 2 : 1;
  leaving.traits.length = static_cast<uint32_t>(chain.length);
  leaving.traits.origin = static_cast<ChainOrigin>(chain.origin);
  leaving.traits.is_leaf = remembered.children == 0 && !EndsRun(block.position);
  leaving.hint = static_cast<ReturnHint>(chain.hint);
  leaving.cls = LeavingClassOf(leaving.traits);
  // What the engine said is no lesson for chains of which it said nothing.
  remembered.left_class = leaving.hint == ReturnHint::kNone ? leaving.cls : 0;
  table_.Store(slot, remembered);
  return leaving;
}

bool ChainAdmission::Admit(const Block& block, double share) {
  const Leaving leaving = Leave(block);
  Count(leaving, block.bytes);
  if (leaving.hint != ReturnHint::kNone) return leaving.hint == ReturnHint::kWillReturn;
  const RememberedChain chain = table_.LoadChain(leaving.chain);
  const auto decision = static_cast<ChainDecision>(chain.decision);
  const double draw = static_cast<double>(chain.draw) / (uint64_t{1} << 32);
  LeavingTraits traits = leaving.traits;
  traits.is_leaf = false;
  const bool chain_admitted = decision == ChainDecision::kNone
                                  ? draw < classes_.PartOf(LeavingClassOf(traits), share)
                                  : decision == ChainDecision::kAdmitted;
  const bool admitted =
      chain_admitted && (!leaving.traits.is_leaf || draw < classes_.PartOf(leaving.cls, share));
  // The last block leaves first. That it stays out decides nothing for those before it.
  if (admitted || !leaving.traits.is_leaf) Decide(leaving.chain, admitted);
  return admitted;
}

void ChainAdmission::Decide(ChainId id, bool admitted) {
  RememberedChain chain = table_.LoadChain(id);
  chain.decision =
      static_cast<uint64_t>(admitted ? ChainDecision::kAdmitted : ChainDecision::kRejected);
  table_.StoreChain(id, chain);
}

void ChainAdmission::Follow(const Block& block) {
  const Leaving leaving = Leave(block);
  Count(leaving, block.bytes);
  Decide(leaving.chain, true);
}

void ChainAdmission::Count(const Leaving& leaving, uint64_t bytes) {
  if (leaving.hint == ReturnHint::kNone) classes_.Left(leaving.cls, bytes);
  if (leaving.hint == ReturnHint::kWillReturn) classes_.LeftFavoured(bytes);
}

}  // namespace cairn
