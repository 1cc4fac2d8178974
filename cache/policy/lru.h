// Least recently used.
#ifndef CAIRN_CACHE_POLICY_LRU_H_
#define CAIRN_CACHE_POLICY_LRU_H_

#include "cache/policy/policy.h"

namespace cairn {

class LruPolicy final : public Policy {
 public:
  explicit LruPolicy(SparseArray<Entry>& entries) : entries_(entries) {}
  void OfferRecent(EntryId id) override;
  void OfferOldest(EntryId id) override;
  void Withdraw(EntryId id) override;
  EntryId Victim() const override { return oldest_; }

 private:
  SparseArray<Entry>& entries_;
  EntryId newest_ = kNoEntry;
  EntryId oldest_ = kNoEntry;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_LRU_H_
