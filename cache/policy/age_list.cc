#include "cache/policy/age_list.h"

#include <algorithm>

#include "base/check.h"

namespace cairn {

bool AgeList::IsOlder(EntryId a, EntryId b) const {
  if (times_.Of(a) != times_.Of(b)) return times_.Of(a) < times_.Of(b);
  if (entries_[a].depth != entries_[b].depth) return entries_[a].depth > entries_[b].depth;
  return entries_[a].run_offset > entries_[b].run_offset;
}

// The last section that starts at or before the time; the first for times before all.
size_t AgeList::SectionOf(int64_t at_ms) const {
  const auto* begin = sections_.data();
  const auto* after =
      std::upper_bound(begin, begin + section_count_, at_ms,
                       [](int64_t ms, const Section& section) { return ms < section.start_ms; });
  return after == begin ? 0 : static_cast<size_t>(after - begin) - 1;
}

// `previous` points towards the newest, `next` towards the oldest. older == kNoEntry: at the end.
void AgeList::LinkBehind(EntryId older, EntryId id) {
  const EntryId newer = older == kNoEntry ? oldest_ : NewerOf(older);
  entries_[id].next = older;
  entries_[id].previous = newer;
  if (older != kNoEntry) {
    entries_[older].previous = id;
  } else {
    oldest_ = id;
  }
  if (newer != kNoEntry) {
    entries_[newer].next = id;
  } else {
    newest_ = id;
  }
}

void AgeList::MergeSections() {
  for (size_t i = 0; i < kSectionsMax / 2; ++i) {
    sections_[i] = {sections_[2 * i].start_ms, sections_[2 * i + 1].newest};
  }
  section_count_ = kSectionsMax / 2;
}

void AgeList::Append(EntryId id) {
  const bool full = appended_ >= std::max(kSectionMin, size_ / (kSectionsMax / 2));
  // A time never stands in two sections, so that a block's section follows from its time.
  const bool fresh = newest_ == kNoEntry || times_.Of(newest_) < times_.Of(id);
  if (section_count_ == 0 || (full && fresh)) {
    if (section_count_ == kSectionsMax) MergeSections();
    sections_[section_count_++].start_ms = times_.Of(id);
    appended_ = 0;
  }
  sections_[section_count_ - 1].newest = id;
  ++appended_;
  LinkBehind(newest_, id);
}

// The entry that shall stand right behind `id`, sought from both ends of a section at once.
EntryId AgeList::PlaceIn(size_t index, EntryId id) const {
  EntryId from_newest = sections_[index].newest;
  EntryId from_oldest = index == 0 ? oldest_ : NewerOf(sections_[index - 1].newest);
  if (IsOlder(id, from_oldest)) return static_cast<EntryId>(entries_[from_oldest].next);
  for (int step = 0; step < kStepsMax && IsOlder(id, from_newest); ++step) {
    const EntryId above = NewerOf(from_oldest);
    if (IsOlder(id, above)) return from_oldest;
    from_oldest = above;
    from_newest = static_cast<EntryId>(entries_[from_newest].next);
  }
  return from_newest;
}

void AgeList::Insert(EntryId id) {
  ++size_;
  if (newest_ == kNoEntry || !IsOlder(id, newest_)) return Append(id);
  const size_t index = SectionOf(times_.Of(id));
  Section& section = sections_[index];
  const EntryId older = PlaceIn(index, id);
  section.start_ms = std::min(section.start_ms, times_.Of(id));
  if (older == section.newest) section.newest = id;
  LinkBehind(older, id);
}

void AgeList::InsertFirst(EntryId id) {
  if (oldest_ == kNoEntry || times_.Of(id) > times_.Of(oldest_)) return Insert(id);
  ++size_;
  sections_[0].start_ms = std::min(sections_[0].start_ms, times_.Of(id));
  LinkBehind(kNoEntry, id);
}

void AgeList::Remove(EntryId id) {
  const EntryId newer = NewerOf(id);
  const auto older = static_cast<EntryId>(entries_[id].next);
  if (newer == kNoEntry || times_.Of(newer) != times_.Of(id)) {
    const size_t index = SectionOf(times_.Of(id));
    Section& section = sections_[index];
    const bool last = older == kNoEntry || times_.Of(older) < section.start_ms;
    if (section.newest == id && !last) section.newest = older;
    if (section.newest == id && last) {
      std::copy(&sections_[index] + 1, sections_.data() + section_count_, &sections_[index]);
      --section_count_;
    }
  }
  if (newer != kNoEntry) {
    entries_[newer].next = older;
  } else {
    newest_ = older;
  }
  if (older != kNoEntry) {
    entries_[older].previous = newer;
  } else {
    oldest_ = newer;
  }
  --size_;
}

void AgeList::OriginMoved() {
  size_t before = 0;
  while (before < section_count_ && sections_[before].start_ms <= times_.origin_ms()) ++before;
  if (before == 0) return;
  // Equal times never stand in two sections.
  sections_[before - 1].start_ms = times_.origin_ms();
  std::copy(sections_.data() + before - 1, sections_.data() + section_count_, sections_.data());
  section_count_ -= before - 1;
}

}  // namespace cairn
