// Blocks of a model: numbers instead of bytes.
#ifndef CAIRN_CACHE_MODEL_MODEL_BLOCK_H_
#define CAIRN_CACHE_MODEL_MODEL_BLOCK_H_

#include <cstdint>
#include <cstring>

#include "proto/identity.h"

namespace cairn {

// Numbered densely from 0.
using ModelBlock = uint32_t;
inline constexpr ModelBlock kNoModelBlock = UINT32_MAX;

// Uniform in the block, as real keys are (splitmix64).
inline BlockKey KeyOf(ModelBlock block) {
  const auto mix = [](uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  };
  const uint64_t words[2] = {mix(block), mix(~uint64_t{block})};
  BlockKey key;
  std::memcpy(key.bytes.data(), words, sizeof(words));
  return key;
}

}  // namespace cairn

#endif  // CAIRN_CACHE_MODEL_MODEL_BLOCK_H_
