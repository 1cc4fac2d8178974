// What happened in a simulated world, folded into one number: two runs with equal hashes did the
// same things at the same simulated times, and a run with another hash did not.
#ifndef CAIRN_TRANSPORT_SIM_SIM_TRACE_H_
#define CAIRN_TRANSPORT_SIM_SIM_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <absl/types/span.h>

#include "base/clock.h"

namespace cairn {

// A fast 64-bit fingerprint for traces and oracles; not stored, not fit against an adversary.
uint64_t SimFingerprint(absl::Span<const std::byte> bytes);

class SimTrace {
 public:
  using Sink = std::function<void(const std::string& line)>;

  // what: a literal. a, b, c: whatever tells this event from another.
  void Record(Instant at, const char* what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);
  uint64_t hash() const { return hash_; }
  uint64_t count() const { return count_; }
  // Also writes each record as a line; for the eyes of whoever replays a seed.
  void set_sink(Sink sink) { sink_ = std::move(sink); }

 private:
  uint64_t hash_ = 0x9e3779b97f4a7c15;
  uint64_t count_ = 0;
  Sink sink_;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_SIM_SIM_TRACE_H_
