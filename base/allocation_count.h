// Counts calls of operator new, to prove that a path allocates nothing. A program that links
// cairn_allocation_count gets counting operators. The sanitizers bring operators of their own, so
// under them nothing is counted: such tests begin with
//   if (!AllocationsAreCounted()) GTEST_SKIP() << "the sanitizer owns operator new";
#ifndef CAIRN_BASE_ALLOCATION_COUNT_H_
#define CAIRN_BASE_ALLOCATION_COUNT_H_

#include <cstddef>

namespace cairn {

bool AllocationsAreCounted();

// Of all threads, since the program started.
size_t AllocationCount();

// How many allocations work() made; other threads rest meanwhile.
template <typename Work>
size_t AllocationsOf(const Work& work) {
  const size_t before = AllocationCount();
  work();
  return AllocationCount() - before;
}

}  // namespace cairn

#endif  // CAIRN_BASE_ALLOCATION_COUNT_H_
