// What a load found out, for people and for machines.
#ifndef CAIRN_SERVER_CLI_BENCH_SUMMARY_H_
#define CAIRN_SERVER_CLI_BENCH_SUMMARY_H_

#include <cstdint>
#include <string>

#include "base/histogram.h"
#include "server/cli/figures.h"

namespace cairn {

struct BenchSummary {
  uint64_t block_bytes = 0;
  double seconds = 0;
  uint64_t got_blocks = 0;
  uint64_t put_blocks = 0;
  ReasonCounts misses{};  // gets
  ReasonCounts put_failures{};
  uint64_t wrong_bytes = 0;  // of gets that the client called good
  uint64_t late_answers = 0;
  HistogramSnapshot get_latency_us;  // from the call to the block's completion
  HistogramSnapshot put_latency_us;

  // Adds what another client measured at the same time.
  void Merge(const BenchSummary& other);

  uint64_t blocks() const { return got_blocks + put_blocks; }
  double blocks_per_second() const {
    return seconds > 0 ? static_cast<double>(blocks()) / seconds : 0;
  }
  double gigabytes_per_second() const {
    return blocks_per_second() * static_cast<double>(block_bytes) / 1e9;
  }
  // Something moved, and nothing of it was wrong.
  bool good() const { return wrong_bytes == 0 && blocks() > 0; }

  std::string ToJson() const;
  std::string ToText() const;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_BENCH_SUMMARY_H_
