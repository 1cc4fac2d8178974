// Sectors of a log's metadata from any bytes, for the targets of log_format.h.
#ifndef CAIRN_TESTS_FUZZ_LOG_SECTOR_H_
#define CAIRN_TESTS_FUZZ_LOG_SECTOR_H_

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <absl/types/span.h>

#include "base/check.h"
#include "proto/log_format.h"

namespace cairn {

struct alignas(64) LogSector {
  std::array<std::byte, log_format::kSector> bytes{};

  // The first bytes of the input, filled up with zeros.
  explicit LogSector(absl::Span<const std::byte> input) {
    std::copy_n(input.begin(), std::min(input.size(), bytes.size()), bytes.begin());
  }
  template <typename Metadata>
  Metadata& As() {
    return *reinterpret_cast<Metadata*>(bytes.data());
  }
  // With a right checksum, so that the fuzzer spends its time on the rules behind it.
  template <typename Metadata>
  void Seal();
};

inline Checksum SumOf(absl::Span<const std::byte> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Checksum checksum;
  std::memcpy(checksum.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return checksum;
}

template <typename Metadata>
void LogSector::Seal() {
  As<Metadata>().checksum = Checksum{};
  As<Metadata>().checksum = SumOf(bytes);
}

// What an accepted entry promises to whoever reads its payload from sectors [first, last).
inline void CheckReadable(const log_format::Entry& entry, uint64_t first, uint64_t last) {
  CAIRN_CHECK(log_format::CheckIdentity(entry).ok());
  CAIRN_CHECK(entry.length >= 1 && entry.length <= kBlockBytesMax);
  CAIRN_CHECK(entry.stored_bytes() <= entry.sectors() * log_format::kSector);
  CAIRN_CHECK(entry.sector >= first && entry.sector + entry.sectors() <= last);
}

}  // namespace cairn

#endif  // CAIRN_TESTS_FUZZ_LOG_SECTOR_H_
