#include "server/cli/replay/summary.h"

#include <absl/strings/str_cat.h>
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
  json["get_latency_us"][FormatByteSize(block_bytes)] = {{"count", get_latency_us.count()},
                                                         {"p50", get_latency_us.Quantile(0.5)},
                                                         {"p99", get_latency_us.Quantile(0.99)},
                                                         {"p99.9", get_latency_us.Quantile(0.999)}};
  json["misses"] = nlohmann::ordered_json::object();
  for (size_t i = 1; i < misses.size(); ++i) {
    if (misses[i] == 0) continue;
    json["misses"][wire::MissReasonName(static_cast<wire::MissReason>(i))] = misses[i];
  }
  json["put_failures"] = put_failures;
  json["wrong_bytes"] = wrong_bytes;
  json["late_answers"] = late_answers;
  return json.dump();
}

std::string ReplaySummary::ToText() const {
  std::string text;
  absl::StrAppendFormat(&text, "requests        %d in %.1f s (%.0f/s)\n", requests, seconds,
                        seconds > 0 ? static_cast<double>(requests) / seconds : 0);
  absl::StrAppendFormat(
      &text, "blocks          %d looked up, %d hit: %.2f %% of blocks, %.2f %% of tokens\n",
      lookups, hits, 100 * block_hit_ratio(), 100 * token_hit_ratio());
  absl::StrAppendFormat(&text, "moved           %.2f GB got, %.2f GB put, %.2f GB/s\n",
                        static_cast<double>(got_bytes) / 1e9, static_cast<double>(put_bytes) / 1e9,
                        gigabytes_per_second());
  absl::StrAppendFormat(&text, "get latency     %s: p50 %d us, p99 %d us, p99.9 %d us\n",
                        FormatByteSize(block_bytes), get_latency_us.Quantile(0.5),
                        get_latency_us.Quantile(0.99), get_latency_us.Quantile(0.999));
  absl::StrAppend(&text, "misses         ");
  for (size_t i = 1; i < misses.size(); ++i) {
    if (misses[i] == 0) continue;
    absl::StrAppend(&text, " ", wire::MissReasonName(static_cast<wire::MissReason>(i)), " ",
                    misses[i]);
  }
  absl::StrAppendFormat(&text, "\nfailed puts     %d\nwrong bytes     %d\nlate answers    %d\n",
                        put_failures, wrong_bytes, late_answers);
  return text;
}

}  // namespace cairn
