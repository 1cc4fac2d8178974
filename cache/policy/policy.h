// Which block goes first. The shard offers a policy the blocks that may go: sealed, unpinned, and
// without a resident child, so that a tail always goes before its head whatever the policy thinks.
// One policy object per size class; its order lives in the entries' own links.
#ifndef CAIRN_CACHE_POLICY_POLICY_H_
#define CAIRN_CACHE_POLICY_POLICY_H_

#include <memory>

#include "cache/entry.h"
#include "cache/sparse_array.h"

namespace cairn {

enum class PolicyKind { kLru };

// One thread; O(1) and without allocation per call. A block is offered at most once at a time.
class Policy {
 public:
  virtual ~Policy() = default;
  // The block was used just now, or written.
  virtual void OfferRecent(EntryId id) = 0;
  // The block lost its last child and was not used since: it is as old as the child was.
  virtual void OfferOldest(EntryId id) = 0;
  // The block may not go any more: pinned, got a child, or is gone.
  virtual void Withdraw(EntryId id) = 0;
  // The next to go, still offered; kNoEntry: none is.
  virtual EntryId Victim() const = 0;
};

// entries outlive the policy.
std::unique_ptr<Policy> MakePolicy(PolicyKind kind, SparseArray<Entry>& entries);

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_POLICY_H_
