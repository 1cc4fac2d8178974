// How much of a model's cases a build tries.
#ifndef CAIRN_TESTS_CACHE_MODEL_CASES_H_
#define CAIRN_TESTS_CACHE_MODEL_CASES_H_

#include <initializer_list>
#include <vector>

namespace cairn {

#ifdef CAIRN_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// All of them; the first alone where a sanitizer makes each ten times as long, for it looks at how
// the code runs and not at how well it chooses.
template <typename T>
std::vector<T> Cases(std::initializer_list<T> all) {
  std::vector<T> cases(all);
  if (kSanitized) cases.resize(1);
  return cases;
}

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_MODEL_CASES_H_
