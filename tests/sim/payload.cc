#include "tests/sim/payload.h"

#include <cstring>

#include "base/check.h"
#include "transport/sim/sim_trace.h"

namespace cairn::sim {
namespace {

constexpr size_t kWordBytes = sizeof(uint64_t);

uint64_t WordAt(uint64_t seed, uint64_t index) {
  const uint64_t word = (seed + index * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
  return word ^ (word >> 29);
}

}  // namespace

Payload::Payload(uint32_t tenant, const BlockKey& key)
    : seed_(SimFingerprint(key.bytes) + (uint64_t{tenant} << 32)) {}

void Payload::Fill(uint64_t offset_bytes, absl::Span<std::byte> out) const {
  CAIRN_CHECK(offset_bytes % kWordBytes == 0 && out.size() % kWordBytes == 0);
  for (size_t at = 0; at < out.size(); at += kWordBytes) {
    const uint64_t word = WordAt(seed_, (offset_bytes + at) / kWordBytes);
    std::memcpy(out.data() + at, &word, kWordBytes);
  }
}

bool Payload::Fits(uint64_t offset_bytes, absl::Span<const std::byte> bytes) const {
  CAIRN_CHECK(offset_bytes % kWordBytes == 0 && bytes.size() % kWordBytes == 0);
  uint64_t different = 0;
  for (size_t at = 0; at < bytes.size(); at += kWordBytes) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, kWordBytes);
    different |= word ^ WordAt(seed_, (offset_bytes + at) / kWordBytes);
  }
  return different == 0;
}

}  // namespace cairn::sim
