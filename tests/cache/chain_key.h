// The keys of a chain's blocks.
#ifndef CAIRN_TESTS_CACHE_CHAIN_KEY_H_
#define CAIRN_TESTS_CACHE_CHAIN_KEY_H_

#include <cstdint>

#include <absl/types/span.h>

#include "base/random.h"
#include "proto/identity.h"

namespace cairn {

inline BlockKey KeyOf(uint64_t chain, uint32_t position) {
  BlockKey key;
  SeededRandom random(chain * 1'000'003 + position + 1);
  random.Fill(absl::MakeSpan(key.bytes));
  return key;
}

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_CHAIN_KEY_H_
