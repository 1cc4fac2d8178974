#include "cache/model/flash_model.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status.h"

namespace cairn {
namespace {

// A day is 864,000 references. The governor knows bytes and time, the budget here neither.
constexpr absl::Duration kReference = absl::Milliseconds(100);
constexpr uint64_t kBlockBytes = 1u << 20;

uint64_t BytesPerDay(double writes_per_reference) {
  const double references = absl::FDivDuration(absl::Hours(24), kReference);
  return static_cast<uint64_t>(writes_per_reference * references * kBlockBytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FlashModel>> FlashModel::Create(const FlashModelOptions& options) {
  if (options.capacity_blocks == 0) {
    return absl::InvalidArgumentError("flash: 0 blocks; give a larger part");
  }
  if (options.writes_per_reference < 0) {
    return absl::InvalidArgumentError(absl::StrCat("write_budget: ", options.writes_per_reference,
                                                   " writes per reference; give 0 (no limit) up"));
  }
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<ChainTable> chains,
                         ChainTable::Create(2 * options.capacity_blocks));
  return std::unique_ptr<FlashModel>(new FlashModel(options, std::move(chains)));
}

FlashModel::FlashModel(const FlashModelOptions& options, std::unique_ptr<ChainTable> chains)
    : options_(options),
      chains_(std::move(chains)),
      admission_(*chains_),
      budget_(BytesPerDay(options.writes_per_reference), clock_),
      held_(options.blocks_max),
      places_(options.blocks_max),
      written_(options.capacity_blocks, kNoModelBlock) {}

void FlashModel::Referenced(uint64_t blocks) {
  clock_.now = clock_.now + kReference * static_cast<int64_t>(blocks);
}

void FlashModel::Stored(ModelBlock block, ModelBlock predecessor, uint32_t position) {
  const bool starts_run = RunStart(position) == position;
  places_[block] = {starts_run ? kNoModelBlock : predecessor, position};
  ChainAdmission::Block stored;
  stored.key = KeyOf(block);
  if (predecessor != kNoModelBlock) stored.parent = KeyOf(predecessor);
  stored.position = position;
  admission_.Stored(stored, ReturnHint::kNone);
}

void FlashModel::Used(ModelBlock block) { admission_.Used(KeyOf(block)); }

ChainAdmission::Block FlashModel::Describe(ModelBlock block) const {
  ModelBlock head = block;
  while (places_[head].parent != kNoModelBlock) head = places_[head].parent;
  ChainAdmission::Block described;
  described.key = KeyOf(block);
  described.run_key = KeyOf(head);
  described.position = places_[block].position;
  described.bytes = kBlockBytes;
  return described;
}

void FlashModel::Offer(ModelBlock block) {
  if (held_[block]) return;
  const bool wanted = admission_.Admit(Describe(block), budget_.Share());
  budget_.Offer(kBlockBytes);
  if (!wanted || !budget_.Allows(kBlockBytes)) return;
  for (ModelBlock at = block; at != kNoModelBlock && !held_[at]; at = places_[at].parent) {
    if (at != block) {
      admission_.Follow(Describe(at));
      budget_.Offer(kBlockBytes);
    }
    Write(at);
  }
}

void FlashModel::Write(ModelBlock block) {
  ModelBlock& slot = written_[writes_ % options_.capacity_blocks];
  if (slot != kNoModelBlock) held_[slot] = false;
  slot = block;
  held_[block] = true;
  ++writes_;
  budget_.Append(kBlockBytes);
}

}  // namespace cairn
