// A policy with the entries that it orders, moved by the shard's rules.
#ifndef CAIRN_TESTS_CACHE_POLICY_POLICY_RIG_H_
#define CAIRN_TESTS_CACHE_POLICY_POLICY_RIG_H_

#include <memory>
#include <vector>

#include "base/random.h"
#include "cache/policy/policy.h"

namespace cairn {

class PolicyRig {
 public:
  static constexpr size_t kEntries = 1024;
  static constexpr PolicyGroup kGroup = 3;

  explicit PolicyRig(PolicyKind kind) : policy_(MakePolicy(kind, entries_.span()).value()) {}

  static BlockKey KeyOf(uint64_t number) {
    BlockKey key;
    SeededRandom random(number + 1);
    random.Fill(absl::MakeSpan(key.bytes));
    return key;
  }

  // A block of this number in entry `id`, behind `parent` in its run.
  void Put(EntryId id, uint64_t number, EntryId parent, int64_t now_ms,
           ReturnHint hint = ReturnHint::kNone) {
    Entry& entry = entries_[id];
    entry = Entry{};
    entry.key = KeyOf(number);
    entry.parent = parent;
    if (parent != kNoEntry) {
      entry.run_offset = entries_[parent].run_offset + 1;
      if (entries_[parent].children++ == 0) policy_->Withdraw(parent, kGroup);
    }
    policy_->Admit(id, kGroup, parent, hint, now_ms);
    policy_->Offer(id, kGroup);
  }
  void Use(EntryId id, int64_t now_ms) { policy_->Touch(id, kGroup, now_ms); }
  // What went; kNoEntry: nothing may.
  EntryId EvictOne(int64_t now_ms) {
    const EntryId id = policy_->Victim(kGroup, now_ms);
    if (id == kNoEntry) return id;
    policy_->Withdraw(id, kGroup);
    policy_->Evict(id, now_ms);
    const auto parent = static_cast<EntryId>(entries_[id].parent);
    if (parent != kNoEntry && --entries_[parent].children == 0) {
      policy_->OfferHead(parent, kGroup);
    }
    return id;
  }

  Policy& policy() { return *policy_; }
  Entry& entry(EntryId id) { return entries_[id]; }

 private:
  SparseArray<Entry> entries_ = SparseArray<Entry>::Create(kEntries).value();
  const std::unique_ptr<Policy> policy_;
};

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_POLICY_POLICY_RIG_H_
