#include "cache/model/tier_model.h"

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cache/model/model_block.h"

namespace cairn {
namespace {

constexpr PolicyGroup kGroup = 0;

}  // namespace

absl::StatusOr<std::unique_ptr<TierModel>> TierModel::Create(PolicyKind policy,
                                                             uint64_t capacity_blocks,
                                                             uint64_t blocks_max) {
  if (capacity_blocks == 0 || capacity_blocks > kEntriesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("capacity of ", capacity_blocks, " blocks; give 1 to ", kEntriesMax));
  }
  CAIRN_ASSIGN_OR_RETURN(SparseArray<Entry> entries, SparseArray<Entry>::Create(capacity_blocks));
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Policy> made, MakePolicy(policy, entries.span()));
  return std::unique_ptr<TierModel>(
      new TierModel(capacity_blocks, blocks_max, std::move(entries), std::move(made)));
}

TierModel::TierModel(uint64_t capacity_blocks, uint64_t blocks_max, SparseArray<Entry> entries,
                     std::unique_ptr<Policy> policy)
    : capacity_blocks_(capacity_blocks),
      entries_(std::move(entries)),
      policy_(std::move(policy)),
      entry_of_(blocks_max, kNoEntry),
      block_of_(capacity_blocks, kNoModelBlock) {}

void TierModel::Touch(ModelBlock block, int64_t now_ms) {
  policy_->Touch(entry_of_[block], kGroup, now_ms);
}

void TierModel::Release(EntryId id) {
  Entry& entry = entries_[id];
  entry_of_[block_of_[id]] = kNoEntry;
  if (entry.parent == kNoEntry) return;
  const auto parent = static_cast<EntryId>(entry.parent);
  if (--entries_[parent].children == 0) policy_->OfferHead(parent, kGroup);
}

// kNoEntry: full, and nothing may go.
EntryId TierModel::TakeEntry(int64_t now_ms, ModelBlock* evicted) {
  if (used_ < capacity_blocks_) return used_++;
  const EntryId victim = policy_->Victim(kGroup, now_ms);
  if (victim == kNoEntry) return kNoEntry;
  policy_->Withdraw(victim, kGroup);
  policy_->Evict(victim, now_ms);
  *evicted = block_of_[victim];
  Release(victim);
  return victim;
}

TierModel::Inserted TierModel::Insert(ModelBlock block, ModelBlock predecessor, uint32_t position,
                                      int64_t now_ms) {
  CAIRN_CHECK(!Contains(block));
  const EntryId before = predecessor == kNoModelBlock ? kNoEntry : entry_of_[predecessor];
  const bool starts_run = RunStart(position) == position;
  const EntryId parent_id = starts_run ? kNoEntry : before;
  CAIRN_CHECK(starts_run || parent_id != kNoEntry);
  // A child from here on, so that the parent is not its victim.
  if (parent_id != kNoEntry && entries_[parent_id].children++ == 0)
    policy_->Withdraw(parent_id, kGroup);
  Inserted result;
  const EntryId id = TakeEntry(now_ms, &result.evicted);
  if (id == kNoEntry) {
    if (parent_id != kNoEntry && --entries_[parent_id].children == 0)
      policy_->Offer(parent_id, kGroup);
    return result;
  }
  Entry& entry = entries_[id];
  entry = Entry{};
  entry.key = KeyOf(block);
  entry.parent = parent_id;
  entry.run_offset = position - RunStart(position);
  entry.depth = DepthOf(position);
  entry.state = static_cast<uint64_t>(EntryState::kSealed);
  block_of_[id] = block;
  entry_of_[block] = id;
  policy_->Admit(id, kGroup, before == id ? kNoEntry : before, ReturnHint::kNone, now_ms);
  policy_->Offer(id, kGroup);
  result.done = true;
  return result;
}

}  // namespace cairn
