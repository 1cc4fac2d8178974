// What a DiskLog is told about itself.
#ifndef CAIRN_CACHE_DISK_LOG_OPTIONS_H_
#define CAIRN_CACHE_DISK_LOG_OPTIONS_H_

#include <cstdint>
#include <string>

#include "base/block_queue.h"
#include "proto/identity.h"

namespace cairn {

struct LogOptions {
  DeviceId device{};
  uint64_t offset_bytes = 0;  // of the log on its device
  uint64_t size_bytes = 0;    // at least four segments and a MiB
  uint64_t segment_bytes = 64u << 20;
  uint16_t partition = 0;
  uint16_t partitions = 1;
  NodeId node;
  uint64_t incarnation = 0;
  std::string path;  // for messages
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_LOG_OPTIONS_H_
