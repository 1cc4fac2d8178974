// The chains that a load reads: the latest that it stored.
#ifndef CAIRN_SERVER_CLI_BENCH_WORKING_SET_H_
#define CAIRN_SERVER_CLI_BENCH_WORKING_SET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace cairn {

class WorkingSet {
 public:
  // chains_max > 0: beyond it the oldest is left out.
  explicit WorkingSet(size_t chains_max) : chains_(chains_max) {}

  void Add(uint64_t chain) { chains_[added_++ % chains_.size()] = chain; }
  size_t size() const { return std::min<size_t>(added_, chains_.size()); }
  // Each with the same chance. Not for an empty set.
  uint64_t Pick(Random& random) const {
    CAIRN_CHECK(size() > 0);
    return chains_[random.Below(size())];
  }

 private:
  std::vector<uint64_t> chains_;
  uint64_t added_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_BENCH_WORKING_SET_H_
