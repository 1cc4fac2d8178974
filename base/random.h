// Randomness, injected.
#ifndef CAIRN_BASE_RANDOM_H_
#define CAIRN_BASE_RANDOM_H_

#include <cstddef>
#include <cstdint>

#include <absl/types/span.h>

namespace cairn {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
  void Fill(absl::Span<std::byte> out);
  // Uniform in [0, bound); bound > 0.
  uint64_t Below(uint64_t bound);
};

// The kernel's generator (getrandom), thread-safe, fit for secrets. Lives for ever.
Random& RealRandom();

// xoshiro256**: the same seed gives the same sequence on every machine. Not thread-safe; not for
// secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed);
  uint64_t Next() override;

 private:
  uint64_t state_[4];
};

}  // namespace cairn

#endif  // CAIRN_BASE_RANDOM_H_
