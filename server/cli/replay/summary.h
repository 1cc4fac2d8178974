// What a replay found out, for people and for machines.
#ifndef CAIRN_SERVER_CLI_REPLAY_SUMMARY_H_
#define CAIRN_SERVER_CLI_REPLAY_SUMMARY_H_

#include <cstdint>
#include <string>

#include "base/histogram.h"
#include "base/ratio.h"
#include "server/cli/figures.h"

namespace cairn {

struct ReplaySummary {
  uint64_t requests = 0;
  uint64_t lookups = 0;  // blocks
  uint64_t hits = 0;     // leading blocks fetched and verified
  uint64_t input_tokens = 0;
  uint64_t hit_tokens = 0;
  uint64_t got_bytes = 0;
  uint64_t put_bytes = 0;
  uint64_t wrong_bytes = 0;
  uint64_t late_answers = 0;
  uint64_t put_failures = 0;
  ReasonCounts misses{};
  uint64_t block_bytes = 0;
  double seconds = 0;
  HistogramSnapshot get_latency_us;  // from the batch's submission to the block's completion

  double block_hit_ratio() const { return Ratio(hits, lookups); }
  double token_hit_ratio() const { return Ratio(hit_tokens, input_tokens); }
  double gigabytes_per_second() const {
    return seconds > 0 ? static_cast<double>(got_bytes + put_bytes) / seconds / 1e9 : 0;
  }
  // What a replay must never show.
  bool clean() const { return wrong_bytes == 0 && late_answers == 0; }

  std::string ToJson() const;
  std::string ToText() const;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_REPLAY_SUMMARY_H_
