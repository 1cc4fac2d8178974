#include "cache/policy/learned.h"

#include <algorithm>
#include <limits>

namespace cairn {
namespace {

// Measured (docs/policy.md): with 8 times a cache of 1 % of a trace's blocks falls behind
// least-recently-used where sessions rest long; beyond 32 times nothing is gained.
constexpr uint64_t kGhostsPerRoom = 32;

}  // namespace

LearnedPolicy::Lists::Lists(absl::Span<Entry> entries, const TouchTimes& times) {
  by_category.reserve(kReturnCategories);
  for (size_t i = 0; i < kReturnCategories; ++i) by_category.emplace_back(entries, times);
}

size_t LearnedPolicy::CategoryOf(EntryId id) const {
  const Entry& entry = entries_[id];
  return ReturnCategory(static_cast<uint32_t>(entry.touches), entry.mark == 1,
                        static_cast<uint32_t>(entry.hint));
}

void LearnedPolicy::Classify(EntryId id, uint32_t count, int64_t now_ms) {
  entries_[id].touches = std::min(count, kTouchCountMax);
  times_.Set(id, now_ms);
  model_->Touched(CategoryOf(id), times_.Of(id), resident());
}

void LearnedPolicy::DoAdmit(EntryId id, PolicyGroup group, EntryId predecessor, int64_t now_ms) {
  lists_.Ensure(group, entries_, times_);
  Entry& entry = entries_[id];
  Ghost ghost;
  if (ghosts_.Take(entry.key, now_ms, &ghost)) {
    model_->Returned(ReturnCategory(ghost.count, ghost.mark, ghost.hint), ghost.at_ms, now_ms);
    if (entry.hint == 0) entry.hint = ghost.hint;
  }
  uint32_t count = ghost.count + 1;
  bool continues = false;
  if (predecessor != kNoEntry) {
    const Entry& before = entries_[predecessor];
    continues = before.touches > 1 || before.mark == 1;
    // Ghosts are lost one by one: without this a head that lost its own would go before its tail.
    count = std::min(count, static_cast<uint32_t>(before.touches));
  }
  entry.mark = count > 1 ? model_->LongAgo(ghost.at_ms) : continues;
  Classify(id, count, now_ms);
}

void LearnedPolicy::DoTouch(EntryId id, PolicyGroup group, int64_t now_ms) {
  model_->Returned(CategoryOf(id), times_.Of(id), now_ms);
  const bool listed = entries_[id].listed == 1;
  if (listed) ListOf(id, group).Remove(id);
  entries_[id].mark = model_->LongAgo(times_.Of(id));
  Classify(id, static_cast<uint32_t>(entries_[id].touches) + 1, now_ms);
  if (listed) ListOf(id, group).Insert(id);
}

void LearnedPolicy::DoRefresh(EntryId id, PolicyGroup group, int64_t now_ms) {
  const bool listed = entries_[id].listed == 1;
  if (listed) ListOf(id, group).Remove(id);
  times_.Set(id, now_ms);
  if (listed) ListOf(id, group).Insert(id);
}

// The one of the category that comes back last.
EntryId LearnedPolicy::LastToReturn(const AgeList& list, size_t category, int64_t now_ms) const {
  const EntryId oldest = list.oldest();
  if (oldest == kNoEntry || !model_->Ripens(category, now_ms - times_.Of(oldest))) return oldest;
  const EntryId newest = list.newest_settled();
  return newest == kNoEntry ? oldest : newest;
}

EntryId LearnedPolicy::DoVictim(PolicyGroup group, int64_t now_ms) {
  const Lists* lists = lists_.Find(group);
  EntryId victim = kNoEntry;
  if (lists == nullptr) return victim;
  float least = std::numeric_limits<float>::infinity();
  for (size_t category = 0; category < kReturnCategories; ++category) {
    const EntryId id = LastToReturn(lists->by_category[category], category, now_ms);
    if (id == kNoEntry) continue;
    const float hazard = model_->LogHazard(category, now_ms - times_.Of(id));
    if (hazard < least) {
      least = hazard;
      victim = id;
    }
  }
  return victim;
}

float LearnedPolicy::DoLogReturnRate(EntryId id, int64_t now_ms) const {
  return model_->LogHazard(CategoryOf(id), now_ms - times_.Of(id));
}

void LearnedPolicy::DoEvict(EntryId id, int64_t now_ms) {
  ghosts_.SetRoom(kGhostsPerRoom * resident());
  const Entry& entry = entries_[id];
  const int64_t forgotten_ms = ghosts_.Put(entry.key,
                                           {times_.Of(id), static_cast<uint32_t>(entry.touches),
                                            static_cast<uint32_t>(entry.hint), entry.mark == 1},
                                           now_ms);
  if (forgotten_ms >= 0) model_->Forgotten(forgotten_ms);
}

void LearnedPolicy::DoMoveOrigin() {
  lists_.ForEach([](Lists& lists) {
    for (AgeList& list : lists.by_category) list.OriginMoved();
  });
}

}  // namespace cairn
