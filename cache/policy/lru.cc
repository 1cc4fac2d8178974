#include "cache/policy/lru.h"

namespace cairn {

void LruPolicy::DoAdmit(EntryId id, PolicyGroup group, EntryId, int64_t now_ms) {
  entries_[id].touches = 1;
  times_.Set(id, now_ms);
  lists_.Ensure(group, entries_, times_);
}

void LruPolicy::DoTouch(EntryId id, PolicyGroup group, int64_t now_ms) {
  const bool listed = entries_[id].listed == 1;
  if (listed) ListOf(id, group).Remove(id);
  times_.Set(id, now_ms);
  if (listed) ListOf(id, group).Insert(id);
}

EntryId LruPolicy::DoVictim(PolicyGroup group, int64_t) {
  const AgeList* list = lists_.Find(group);
  return list == nullptr ? kNoEntry : list->oldest();
}

void LruPolicy::DoMoveOrigin() {
  lists_.ForEach([](AgeList& list) { list.OriginMoved(); });
}

}  // namespace cairn
