// Between a block's payload and what stands on the drive: nothing, or AES-256-GCM under a key of
// the tenant and the log. The checksum is over the payload in the clear and has the last word.
#ifndef CAIRN_CACHE_DISK_RECORD_CODEC_H_
#define CAIRN_CACHE_DISK_RECORD_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <absl/container/flat_hash_map.h>
#include <absl/types/span.h>

#include "cache/disk/log_geometry.h"
#include "cache/disk/recovered.h"
#include "proto/log_format.h"

namespace cairn {

using DiskKey = std::array<std::byte, 32>;

// Where a record stands, for its nonce: a place is written once in the life of a generation.
struct RecordPlace {
  log_format::LogId log;
  uint64_t generation = 0;
  uint32_t sector = 0;
};

// One thread. A record's keys are derived at a tenant's first record in a log, and kept.
class RecordCodec final : public RecordVerifier {
 public:
  // Without a key nothing is encrypted, and encrypted records cannot be read.
  explicit RecordCodec(const std::optional<DiskKey>& key);
  ~RecordCodec() override;

  uint16_t cipher() const {
    return key_.has_value() ? log_format::kCipherAes256Gcm : log_format::kCipherNone;
  }
  // entry.cipher is ours. Fills `stored`, entry.stored_bytes() long, from the payload.
  void Encode(const log_format::Entry& entry, const RecordPlace& place,
              absl::Span<const std::byte> payload, absl::Span<std::byte> stored);
  // In place: afterwards the first entry.length bytes are the payload. False: a wrong key, or not
  // the bytes that were stored; then they are unspecified. Does not look at the checksum.
  bool Decode(const log_format::Entry& entry, const RecordPlace& place,
              absl::Span<std::byte> stored);
  // Decode, then the checksum.
  bool Verify(const log_format::Entry& entry, const LogGeometry& geometry, uint64_t generation,
              uint32_t segment, absl::Span<std::byte> stored) override;

 private:
  struct Gcm;
  const DiskKey& KeyOf(const log_format::LogId& log, uint32_t tenant);

  const std::optional<DiskKey> key_;
  absl::flat_hash_map<std::pair<log_format::LogId, uint32_t>, DiskKey> derived_;
  std::unique_ptr<Gcm> gcm_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_DISK_RECORD_CODEC_H_
