#include "server/cli/bench/summary.h"

#include <algorithm>

#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/byte_size.h"

namespace cairn {

void BenchSummary::Merge(const BenchSummary& other) {
  seconds = std::max(seconds, other.seconds);
  got_blocks += other.got_blocks;
  put_blocks += other.put_blocks;
  for (size_t i = 0; i < misses.size(); ++i) {
    misses[i] += other.misses[i];
    put_failures[i] += other.put_failures[i];
  }
  wrong_bytes += other.wrong_bytes;
  late_answers += other.late_answers;
  get_latency_us.Merge(other.get_latency_us);
  put_latency_us.Merge(other.put_latency_us);
}

std::string BenchSummary::ToJson() const {
  nlohmann::ordered_json json;
  json["block_bytes"] = block_bytes;
  json["seconds"] = seconds;
  json["blocks_got"] = got_blocks;
  json["blocks_put"] = put_blocks;
  json["bytes_moved"] = blocks() * block_bytes;
  json["gigabytes_per_second"] = gigabytes_per_second();
  json["blocks_per_second"] = blocks_per_second();
  json["get_latency_us"] = LatencyJson(get_latency_us);
  json["put_latency_us"] = LatencyJson(put_latency_us);
  json["misses"] = ReasonsJson(misses);
  json["put_failures"] = ReasonsJson(put_failures);
  json["wrong_bytes"] = wrong_bytes;
  json["late_answers"] = late_answers;
  return json.dump();
}

std::string BenchSummary::ToText() const {
  const auto line = [this](const char* name, uint64_t count, const HistogramSnapshot& latency) {
    const std::string figures = count == 0 ? "" : ": " + LatencyText(latency);
    return absl::StrFormat("%-13s  %s blocks of %s%s\n", name, FormatCount(count),
                           FormatByteSize(block_bytes), figures);
  };
  std::string text = absl::StrFormat(
      "moved          %s in %.1f s: %.2f GB/s, %s blocks/s\n", FormatMoved(blocks() * block_bytes),
      seconds, gigabytes_per_second(), FormatCount(static_cast<uint64_t>(blocks_per_second())));
  text += line("gets", got_blocks, get_latency_us);
  text += line("puts", put_blocks, put_latency_us);
  absl::StrAppendFormat(&text,
                        "misses         %s\nfailed puts    %s\nwrong bytes    %d\n"
                        "late answers   %d\n",
                        ReasonsText(misses), ReasonsText(put_failures), wrong_bytes, late_answers);
  return text;
}

}  // namespace cairn
