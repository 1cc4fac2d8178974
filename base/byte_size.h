// Sizes in bytes as people write them.
#ifndef CAIRN_BASE_BYTE_SIZE_H_
#define CAIRN_BASE_BYTE_SIZE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

// A number, with decimals if a suffix follows, and a suffix: none or B, KiB, MiB, GiB, TiB (powers
// of 1024), KB, MB, GB, TB (powers of 1000); one space may stand between. nullopt: anything else,
// or 2^64 and beyond. Fractions of a byte are cut off.
std::optional<uint64_t> ParseByteSize(std::string_view text);

// The largest binary suffix that keeps the number whole: 4294967296 is "4GiB", 1500 is "1500B".
// ParseByteSize reads it back.
std::string FormatByteSize(uint64_t bytes);

}  // namespace cairn

#endif  // CAIRN_BASE_BYTE_SIZE_H_
