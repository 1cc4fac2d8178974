// Entries in order of age, linked through the entries themselves. Most come with the newest time,
// but a head that lost its last child comes back with the time of its own last touch: a sparse
// index finds its place without a walk over the list.
#ifndef CAIRN_CACHE_POLICY_AGE_LIST_H_
#define CAIRN_CACHE_POLICY_AGE_LIST_H_

#include <array>
#include <cstdint>

#include <absl/types/span.h>

#include "cache/entry.h"
#include "cache/policy/touch_times.h"

namespace cairn {

// One thread. O(1), no allocation. Of two blocks of the same time the deeper one is the older.
class AgeList {
 public:
  // What both name outlives the list.
  AgeList(absl::Span<Entry> entries, const TouchTimes& times) : entries_(entries), times_(times) {}
  AgeList(AgeList&&) = default;

  // By the time of its last use, which stays as it is while the block is in the list. Exact for
  // times that are the newest yet; others are at most one section (1/32 of the list) from their
  // exact place.
  void Insert(EntryId id);
  // The same, but before all others of its time where those are the oldest.
  void InsertFirst(EntryId id);
  void Remove(EntryId id);
  // The times moved their origin: all before it became equal.
  void OriginMoved();
  // kNoEntry: empty.
  EntryId oldest() const { return oldest_; }
  // The newest but for those that came last, about 1/32 of the list; kNoEntry: there are no others.
  EntryId newest_settled() const {
    return section_count_ < 2 ? kNoEntry : sections_[section_count_ - 2].newest;
  }
  // The next newer one; kNoEntry: none.
  EntryId NewerOf(EntryId id) const { return static_cast<EntryId>(entries_[id].previous); }
  bool empty() const { return oldest_ == kNoEntry; }
  uint64_t size() const { return size_; }

 private:
  static constexpr size_t kSectionsMax = 64;
  static constexpr uint64_t kSectionMin = 16;  // blocks, so that short lists are exact
  static constexpr int kStepsMax = 32;

  // Blocks from start_ms on, until the next section. Never empty.
  struct Section {
    int64_t start_ms;
    EntryId newest;
  };

  bool IsOlder(EntryId a, EntryId b) const;
  size_t SectionOf(int64_t at_ms) const;
  EntryId PlaceIn(size_t index, EntryId id) const;
  void Append(EntryId id);
  void LinkBehind(EntryId older, EntryId id);
  void MergeSections();

  absl::Span<Entry> entries_;
  const TouchTimes& times_;
  EntryId newest_ = kNoEntry;
  EntryId oldest_ = kNoEntry;
  uint64_t size_ = 0;
  uint64_t appended_ = 0;  // to the last section since it was opened
  size_t section_count_ = 0;
  std::array<Section, kSectionsMax> sections_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_AGE_LIST_H_
