// The share that a part has of a whole.
#ifndef CAIRN_BASE_RATIO_H_
#define CAIRN_BASE_RATIO_H_

#include <cstdint>

namespace cairn {

// 0 of nothing.
inline double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace cairn

#endif  // CAIRN_BASE_RATIO_H_
