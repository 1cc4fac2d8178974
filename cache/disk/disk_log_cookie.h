// What a DiskLog's transfers are for, as the scheduler's cookies. For disk_log*.cc.
#ifndef CAIRN_CACHE_DISK_DISK_LOG_COOKIE_H_
#define CAIRN_CACHE_DISK_DISK_LOG_COOKIE_H_

#include <cstdint>

namespace cairn {

enum class LogIo : uint8_t {
  kSuperblockRead,
  kSuperblockWrite,
  kSuperblockFlush,
  kRead,
  kEntries,
};

constexpr uint64_t LogCookie(LogIo io, uint64_t index) {
  return static_cast<uint64_t>(io) << 32 | index;
}
constexpr LogIo IoOf(uint64_t cookie) { return static_cast<LogIo>(cookie >> 32); }
constexpr uint64_t IndexOf(uint64_t cookie) { return cookie & UINT32_MAX; }

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_DISK_LOG_COOKIE_H_
