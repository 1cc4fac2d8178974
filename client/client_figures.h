// What a client tells its coordinator: how long its gets took, and what became of what it asked
// for. Everything is counted since the client began.
//
// Requested are the blocks of every Match and of every Get that names no lease; of those, hits are
// the blocks that a Match held for us and those that such a Get delivered. Every other one is a
// miss, with its reason: of a Match, all from the first block on that is not held, with that one's
// reason. A Get under a lease is not a request of its own. But when it fails, the hit of its Match
// was none: it is taken back and counts as a miss. So hits and misses add up to the requested.
#ifndef CAIRN_CLIENT_CLIENT_FIGURES_H_
#define CAIRN_CLIENT_CLIENT_FIGURES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "cairn/v1/coordinator.pb.h"
#include "proto/wire.h"

namespace cairn {

class ClientFigures {
 public:
  // Of a block that was delivered.
  struct GetTimes {
    Instant begun;     // the call
    Instant placed;    // its node was known
    Instant landed;    // its last chunk
    Instant verified;  // its checksum
    Instant done;      // where the caller wants it
  };

  void RecordGet(uint64_t bytes, const GetTimes& times);
  void CountGet(bool leased, wire::MissReason reason);
  // reason: of the first block that is not held.
  void CountMatch(uint64_t blocks, uint64_t held, wire::MissReason reason);
  // A Get's or Put's block, or a Match. late: it ended after its deadline and the time that a fence
  // may take (ClientOptions::fence_margin).
  void CountEnd(bool late) { ++(late ? late_ : answered_); }
  uint64_t ended() const { return answered_ + late_; }

  // Of one report to the next no figure falls: a hit that is taken back waits for the next one.
  void Fill(std::string_view transport, v1::Urgency urgency, v1::ReportClientRequest& report);

 private:
  using Series = std::array<LatencyHistogram, kSizeClassBytes.size()>;

  Series total_;
  Series lookup_;
  Series verify_;
  uint64_t requested_ = 0;
  uint64_t hits_ = 0;
  uint64_t hits_told_ = 0;
  std::array<uint64_t, static_cast<size_t>(wire::MissReason::kMax) + 1> misses_ = {};
  uint64_t answered_ = 0;
  uint64_t late_ = 0;
};

}  // namespace cairn

#endif  // CAIRN_CLIENT_CLIENT_FIGURES_H_
