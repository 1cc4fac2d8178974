// The bytes that belong to a key: a function of tenant and key, so that every byte of a hit can be
// checked without a second copy.
#ifndef CAIRN_TESTS_SIM_PAYLOAD_H_
#define CAIRN_TESTS_SIM_PAYLOAD_H_

#include <cstddef>
#include <cstdint>

#include <absl/types/span.h>

#include "proto/identity.h"

namespace cairn::sim {

class Payload {
 public:
  // Two tenants that store under one key store different bytes.
  Payload(uint32_t tenant, const BlockKey& key);
  // The piece of the block that begins at offset_bytes; offset and size are multiples of 8.
  void Fill(uint64_t offset_bytes, absl::Span<std::byte> out) const;
  bool Fits(uint64_t offset_bytes, absl::Span<const std::byte> bytes) const;

 private:
  uint64_t seed_;
};

}  // namespace cairn::sim

#endif  // CAIRN_TESTS_SIM_PAYLOAD_H_
