// What the engine said of a block when it stored it, and how a put and a drive's record say it.
#ifndef CAIRN_CACHE_POLICY_RETURN_HINT_H_
#define CAIRN_CACHE_POLICY_RETURN_HINT_H_

#include <cstddef>
#include <cstdint>

#include "proto/wire.h"

namespace cairn {

enum class ReturnHint : uint8_t { kNone, kWillReturn, kOneOff, kLowPriority };
inline constexpr size_t kReturnHints = 4;

// Of several, the one that costs nobody else memory.
constexpr ReturnHint ReturnHintOf(uint16_t bits) {
  if ((bits & wire::kHintOneOff) != 0) return ReturnHint::kOneOff;
  if ((bits & (wire::kHintWillReturn | wire::kHintHighPriority)) != 0) {
    return ReturnHint::kWillReturn;
  }
  return (bits & wire::kHintLowPriority) != 0 ? ReturnHint::kLowPriority : ReturnHint::kNone;
}

constexpr uint16_t HintBitsOf(ReturnHint hint) {
  switch (hint) {
    case ReturnHint::kNone:
      return 0;
    case ReturnHint::kWillReturn:
      return wire::kHintWillReturn;
    case ReturnHint::kOneOff:
      return wire::kHintOneOff;
    case ReturnHint::kLowPriority:
      return wire::kHintLowPriority;
  }
  return 0;
}

}  // namespace cairn

#endif  // CAIRN_CACHE_POLICY_RETURN_HINT_H_
