#include "transport/sim/sim_trace.h"

#include <algorithm>
#include <cstring>

#include <absl/strings/str_cat.h>
#include <xxhash.h>

namespace cairn {
namespace {

// Each step is a bijection of the hash, so nothing that went in is lost at once.
uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9fb21c651e98df25;
  return hash ^ (hash >> 29);
}

}  // namespace

uint64_t SimFingerprint(absl::Span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

void SimTrace::Record(Instant at, const char* what, uint64_t a, uint64_t b, uint64_t c) {
  const size_t length = std::strlen(what);
  hash_ = Mix(hash_, static_cast<uint64_t>(at.ns));
  hash_ = Mix(hash_, SimFingerprint({reinterpret_cast<const std::byte*>(what), length}));
  for (uint64_t value : {a, b, c}) hash_ = Mix(hash_, value);
  ++count_;
  if (sink_) sink_(absl::StrCat(at.ns, " ", what, " ", a, " ", b, " ", absl::Hex(c)));
}

}  // namespace cairn
