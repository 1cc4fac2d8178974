// Blocks for logs: block n is the same in every test, and its payload follows from its key.
#ifndef CAIRN_TESTS_CACHE_DISK_LOG_RECORDS_H_
#define CAIRN_TESTS_CACHE_DISK_LOG_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "proto/checksum.h"
#include "proto/log_format.h"

namespace cairn {

inline BlockKey BlockKeyOf(uint64_t number) {
  BlockKey key;
  SeededRandom(number + 1).Fill(absl::MakeSpan(key.bytes));
  return key;
}

inline std::vector<std::byte> PayloadOf(const BlockKey& key, uint32_t length) {
  std::vector<std::byte> payload(length);
  SeededRandom(key.Word(0)).Fill(absl::MakeSpan(payload));
  return payload;
}

// Of tenant 1 or 2, at position `number` of its chain.
inline log_format::Entry EntryOf(uint64_t number, uint32_t length,
                                 uint16_t cipher = log_format::kCipherNone) {
  log_format::Entry entry;
  entry.key = BlockKeyOf(number);
  entry.ns.bytes.fill(std::byte{0x20});
  const auto position = static_cast<uint32_t>(number % 1000);
  if (RunStart(position) != position) entry.parent = BlockKeyOf(number - 1);
  entry.tenant = 1 + static_cast<uint32_t>(number % 2);
  entry.length = length;
  entry.position = position;
  entry.cipher = cipher;
  entry.checksum = MakeChecksum(entry.key, entry.ns, PayloadOf(entry.key, length));
  return entry;
}

inline bool SameEntry(const log_format::Entry& a, const log_format::Entry& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

}  // namespace cairn

#endif  // CAIRN_TESTS_CACHE_DISK_LOG_RECORDS_H_
