#include "cache/policy/lru.h"

#include "base/check.h"

namespace cairn {

// `previous` points towards the newest, `next` towards the oldest.
void LruPolicy::OfferRecent(EntryId id) {
  Entry& entry = entries_[id];
  CAIRN_CHECK(!entry.listed);
  entry.listed = 1;
  entry.previous = kNoEntry;
  entry.next = newest_;
  if (newest_ != kNoEntry) entries_[newest_].previous = id;
  newest_ = id;
  if (oldest_ == kNoEntry) oldest_ = id;
}

void LruPolicy::OfferOldest(EntryId id) {
  Entry& entry = entries_[id];
  CAIRN_CHECK(!entry.listed);
  entry.listed = 1;
  entry.next = kNoEntry;
  entry.previous = oldest_;
  if (oldest_ != kNoEntry) entries_[oldest_].next = id;
  oldest_ = id;
  if (newest_ == kNoEntry) newest_ = id;
}

void LruPolicy::Withdraw(EntryId id) {
  Entry& entry = entries_[id];
  CAIRN_CHECK(entry.listed);
  entry.listed = 0;
  const auto newer = static_cast<EntryId>(entry.previous);
  const auto older = static_cast<EntryId>(entry.next);
  if (newer != kNoEntry) entries_[newer].next = older;
  if (older != kNoEntry) entries_[older].previous = newer;
  if (newest_ == id) newest_ = older;
  if (oldest_ == id) oldest_ = newer;
}

std::unique_ptr<Policy> MakePolicy(PolicyKind kind, SparseArray<Entry>& entries) {
  switch (kind) {
    case PolicyKind::kLru:
      return std::make_unique<LruPolicy>(entries);
  }
  CAIRN_CHECK(false);
}

}  // namespace cairn
