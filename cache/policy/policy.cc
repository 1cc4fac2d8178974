#include "cache/policy/policy.h"

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cache/policy/learned.h"
#include "cache/policy/lru.h"
#include "cache/policy/s3_fifo.h"

namespace cairn {

absl::StatusOr<PolicyKind> ParsePolicyKind(const std::string& name) {
  if (name == "lru") return PolicyKind::kLru;
  if (name == "s3fifo") return PolicyKind::kS3Fifo;
  if (name == "learned") return PolicyKind::kLearned;
  return absl::InvalidArgumentError(
      absl::StrCat("policy: ", name, " is not known; choose lru, s3fifo or learned"));
}

void Policy::AdvanceTo(int64_t now_ms) {
  if (!times_.OutOfSpan(now_ms)) return;
  times_.MoveOrigin(now_ms);
  DoMoveOrigin();
}

void Policy::Admit(EntryId id, PolicyGroup group, EntryId predecessor, ReturnHint hint,
                   int64_t now_ms) {
  CAIRN_CHECK(!Holds(id) && !entries_[id].listed);
  AdvanceTo(now_ms);
  entries_[id].hint = static_cast<uint64_t>(hint);
  ++resident_;
  reuse_.Reference(entries_[id].key.Word(1));
  if (predecessor != kNoEntry && !Holds(predecessor)) predecessor = kNoEntry;
  DoAdmit(id, group, predecessor, now_ms);
}

void Policy::Touch(EntryId id, PolicyGroup group, int64_t now_ms) {
  CAIRN_CHECK(Holds(id));
  AdvanceTo(now_ms);
  reuse_.Reference(entries_[id].key.Word(1));
  DoTouch(id, group, now_ms);
}

void Policy::Refresh(EntryId id, PolicyGroup group, int64_t now_ms) {
  CAIRN_CHECK(Holds(id));
  AdvanceTo(now_ms);
  DoRefresh(id, group, now_ms);
}

void Policy::Offer(EntryId id, PolicyGroup group) {
  CAIRN_CHECK(Holds(id) && !entries_[id].listed);
  entries_[id].listed = 1;
  ListOf(id, group).Insert(id);
}

void Policy::OfferHead(EntryId id, PolicyGroup group) {
  CAIRN_CHECK(Holds(id) && !entries_[id].listed);
  entries_[id].listed = 1;
  ListOf(id, group).InsertFirst(id);
}

void Policy::Withdraw(EntryId id, PolicyGroup group) {
  CAIRN_CHECK(entries_[id].listed);
  entries_[id].listed = 0;
  ListOf(id, group).Remove(id);
}

EntryId Policy::Victim(PolicyGroup group, int64_t now_ms) {
  AdvanceTo(now_ms);
  return DoVictim(group, now_ms);
}

void Policy::Evict(EntryId id, int64_t now_ms) {
  CAIRN_CHECK(Holds(id) && !entries_[id].listed);
  reuse_.SetRoom(resident_);
  --resident_;
  DoEvict(id, now_ms);
  entries_[id].touches = 0;
}

void Policy::Drop(EntryId id) {
  CAIRN_CHECK(Holds(id) && !entries_[id].listed);
  --resident_;
  DoDrop(id);
  entries_[id].touches = 0;
}

absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(PolicyKind kind, absl::Span<Entry> entries) {
  CAIRN_ASSIGN_OR_RETURN(TouchTimes times, TouchTimes::Create(entries.size()));
  if (kind == PolicyKind::kLru) return std::make_unique<LruPolicy>(entries, std::move(times));
  CAIRN_ASSIGN_OR_RETURN(GhostTable ghosts, GhostTable::Create());
  if (kind == PolicyKind::kS3Fifo) {
    return std::make_unique<S3FifoPolicy>(entries, std::move(times), std::move(ghosts));
  }
  return std::make_unique<LearnedPolicy>(entries, std::move(times), std::move(ghosts));
}

}  // namespace cairn
