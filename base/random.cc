#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.h"

namespace cairn {
namespace {

class KernelRandom final : public Random {
 public:
  uint64_t Next() override {
    uint64_t value;
    // Requests of up to 256 bytes are never cut short (getrandom(2)); only a signal that arrives
    // before the pool is seeded interrupts one.
    ssize_t got;
    do {
      got = getrandom(&value, sizeof(value), 0);
    } while (got < 0 && errno == EINTR);
    CAIRN_CHECK(got == sizeof(value));
    return value;
  }
};

// Spreads one seed over the whole state (splitmix64, as xoshiro's authors advise).
uint64_t SplitMix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

void Random::Fill(absl::Span<std::byte> out) {
  while (!out.empty()) {
    // Little endian by hand: the same seed fills the same bytes on every machine.
    uint64_t value = Next();
    const size_t bytes = std::min(out.size(), sizeof(value));
    for (size_t i = 0; i < bytes; ++i, value >>= 8) out[i] = static_cast<std::byte>(value);
    out.remove_prefix(bytes);
  }
}

uint64_t Random::Below(uint64_t bound) {
  CAIRN_CHECK(bound > 0);
  // The values below `excess` would make the low remainders more likely (2^64 mod bound of them).
  const uint64_t excess = (0 - bound) % bound;
  uint64_t value;
  do {
    value = Next();
  } while (value < excess);
  return value % bound;
}

Random& RealRandom() {
  static KernelRandom random;
  return random;
}

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix(seed);
}

uint64_t SeededRandom::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

}  // namespace cairn
