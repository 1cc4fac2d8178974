#include "server/cli/replay/summary.h"

#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/byte_size.h"

namespace cairn {

std::string ReplaySummary::ToJson() const {
  nlohmann::ordered_json json;
  json["requests"] = requests;
  json["block_lookups"] = lookups;
  json["block_hits"] = hits;
  json["block_hit_ratio"] = block_hit_ratio();
  json["token_hit_ratio"] = token_hit_ratio();
  json["bytes_got"] = got_bytes;
  json["bytes_put"] = put_bytes;
  json["bytes_moved"] = got_bytes + put_bytes;
  json["gigabytes_per_second"] = gigabytes_per_second();
  json["seconds"] = seconds;
  json["get_latency_us"][FormatByteSize(block_bytes)] = LatencyJson(get_latency_us);
  json["misses"] = ReasonsJson(misses);
  json["put_failures"] = put_failures;
  json["wrong_bytes"] = wrong_bytes;
  json["late_answers"] = late_answers;
  return json.dump();
}

std::string ReplaySummary::ToText() const {
  std::string text;
  absl::StrAppendFormat(&text, "requests       %s in %.1f s (%.0f/s)\n", FormatCount(requests),
                        seconds, seconds > 0 ? static_cast<double>(requests) / seconds : 0);
  absl::StrAppendFormat(
      &text, "blocks         %s looked up, %s hit: %.2f %% of blocks, %.2f %% of tokens\n",
      FormatCount(lookups), FormatCount(hits), 100 * block_hit_ratio(), 100 * token_hit_ratio());
  absl::StrAppendFormat(&text, "moved          %s got, %s put, %.2f GB/s\n", FormatMoved(got_bytes),
                        FormatMoved(put_bytes), gigabytes_per_second());
  absl::StrAppendFormat(&text, "get latency    %s: %s\n", FormatByteSize(block_bytes),
                        LatencyText(get_latency_us));
  absl::StrAppendFormat(&text,
                        "misses         %s\nfailed puts    %s\nwrong bytes    %d\n"
                        "late answers   %d\n",
                        ReasonsText(misses), FormatCount(put_failures), wrong_bytes, late_answers);
  return text;
}

}  // namespace cairn
