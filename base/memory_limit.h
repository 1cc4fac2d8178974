// How much memory this process can ever have.
#ifndef CAIRN_BASE_MEMORY_LIMIT_H_
#define CAIRN_BASE_MEMORY_LIMIT_H_

#include <cstdint>
#include <string>

namespace cairn {

// The machine's memory, or what the narrowest control group (v1 or v2) of this process allows.
// UINT64_MAX: the kernel does not tell. root: put before /proc and /sys, for tests.
uint64_t MemoryLimitBytes(const std::string& root = "");

}  // namespace cairn

#endif  // CAIRN_BASE_MEMORY_LIMIT_H_
