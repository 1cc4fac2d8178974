#include "cache/policy/s3_fifo.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr uint64_t kSmallShare = 10;  // one part in so many
constexpr uint32_t kUsesMax = 3;
constexpr uint32_t kUsesToStay = 2;  // in the small queue
constexpr int kStepsMax = 64;        // of blocks queued again for one victim

}  // namespace

void S3FifoPolicy::DoAdmit(EntryId id, PolicyGroup group, EntryId, int64_t now_ms) {
  queues_.Ensure(group, entries_, times_);
  Ghost ghost;
  Entry& entry = entries_[id];
  entry.mark = ghosts_.Take(entry.key, now_ms, &ghost) ? kMain : kSmall;
  entry.touches = 1;
  times_.Set(id, now_ms);
  ++sizes_[entry.mark];
}

void S3FifoPolicy::DoTouch(EntryId id, PolicyGroup, int64_t) {
  entries_[id].touches = std::min(UsesOf(id) + 1, kUsesMax) + 1;
}

void S3FifoPolicy::QueueAgain(Queues& queues, EntryId id, int64_t now_ms) {
  const int64_t passed_ms = times_.Of(id);
  queues.lists[entries_[id].mark].Remove(id);
  // Its heads are not in the lists, but the hand that has come to the tail has come to them too.
  // Else a dead chain would take its turns block by block. At most a run's length.
  for (EntryId at = id; at != kNoEntry && Holds(at) && times_.Of(at) <= passed_ms;
       at = static_cast<EntryId>(entries_[at].parent)) {
    Entry& entry = entries_[at];
    entry.touches = (entry.mark == kSmall || UsesOf(at) == 0 ? 0 : UsesOf(at) - 1) + 1;
    --sizes_[entry.mark];
    entry.mark = kMain;
    ++sizes_[kMain];
    times_.Set(at, now_ms);
  }
  queues.lists[kMain].Insert(id);
}

EntryId S3FifoPolicy::DoVictim(PolicyGroup group, int64_t now_ms) {
  Queues* queues = queues_.Find(group);
  if (queues == nullptr) return kNoEntry;
  EntryId id = kNoEntry;
  for (int step = 0; step < kStepsMax; ++step) {
    const bool small = sizes_[kSmall] > (sizes_[kSmall] + sizes_[kMain]) / kSmallShare;
    const Queue first = small ? kSmall : kMain;
    id = queues->lists[first].oldest();
    if (id == kNoEntry) id = queues->lists[1 - first].oldest();
    if (id == kNoEntry) return kNoEntry;
    if (UsesOf(id) < (entries_[id].mark == kSmall ? kUsesToStay : 1)) return id;
    QueueAgain(*queues, id, now_ms);
  }
  return id;
}

void S3FifoPolicy::DoEvict(EntryId id, int64_t now_ms) {
  // A table forgets sooner than a list of as many would: its lines are full unevenly.
  ghosts_.SetRoom(resident() + resident() / 2);
  if (entries_[id].mark == kSmall) ghosts_.Put(entries_[id].key, {now_ms, 1, 0, false}, now_ms);
  DoDrop(id);
}

void S3FifoPolicy::DoDrop(EntryId id) { --sizes_[entries_[id].mark]; }

void S3FifoPolicy::DoMoveOrigin() {
  queues_.ForEach([](Queues& queues) {
    for (AgeList& list : queues.lists) list.OriginMoved();
  });
}

}  // namespace cairn
