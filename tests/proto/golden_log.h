// The logs of tests/data/logs/v1/, made by another implementation (make_logs.py).
#ifndef CAIRN_TESTS_PROTO_GOLDEN_LOG_H_
#define CAIRN_TESTS_PROTO_GOLDEN_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/log_format.h"

namespace cairn {

struct GoldenRecord {
  log_format::Entry entry;
  uint32_t segment = 0;
  uint64_t generation = 0;
  bool reads = false;  // its payload is what it should be
};

struct GoldenLog {
  std::vector<std::byte> image;  // the whole device
  NodeId node;
  log_format::LogId log;
  std::string node_key_hex;  // empty: not encrypted
  uint32_t segments = 0;
  uint64_t segment_bytes = 0;
  uint64_t incarnation = 0;
  std::vector<GoldenRecord> records;  // as recovery tells them
  // Of recovery.
  uint64_t segments_sealed = 0;
  uint64_t segments_scanned = 0;
  uint64_t footers_damaged = 0;
  uint64_t tails_torn = 0;
  uint64_t records_damaged = 0;
};

// A file that is missing or broken fails the test.
GoldenLog LoadGoldenLog(const std::string& name);

// The payload of a record of these logs.
std::vector<std::byte> GoldenPayload(const log_format::Entry& entry);

}  // namespace cairn

#endif  // CAIRN_TESTS_PROTO_GOLDEN_LOG_H_
