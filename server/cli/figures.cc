#include "server/cli/figures.h"

#include <numeric>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <absl/types/span.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

// value in the largest unit that leaves at least 1, each unit `step` times the one before it.
std::string Scaled(double value, double step, absl::Span<const char* const> units) {
  size_t unit = 0;
  // 999.5 would be printed with four digits.
  while (unit + 1 < units.size() && value >= (unit == 0 ? step : 0.9995 * step)) {
    value /= step;
    ++unit;
  }
  const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return absl::StrFormat("%.*f %s", decimals, value, units[unit]);
}

constexpr wire::MissReason ReasonAt(size_t i) { return static_cast<wire::MissReason>(i); }

}  // namespace

std::string FormatMoved(uint64_t bytes) {
  return Scaled(static_cast<double>(bytes), 1000, {"B", "KB", "MB", "GB", "TB", "PB"});
}

std::string FormatMemory(uint64_t bytes) {
  return Scaled(static_cast<double>(bytes), 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string FormatLatency(uint64_t us) {
  return Scaled(static_cast<double>(us), 1000, {"us", "ms", "s"});
}

std::string FormatAge(absl::Duration age) {
  const int64_t seconds = absl::ToInt64Seconds(age);
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  if (seconds >= kDay) return absl::StrFormat("%d d %d h", seconds / kDay, seconds % kDay / kHour);
  if (seconds >= kHour) {
    return absl::StrFormat("%d h %d m", seconds / kHour, seconds % kHour / kMinute);
  }
  if (seconds >= kMinute) return absl::StrFormat("%d m %d s", seconds / kMinute, seconds % kMinute);
  return absl::StrFormat("%d s", seconds);
}

std::string FormatCount(uint64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string FormatPercent(double of_1) { return absl::StrFormat("%.1f %%", 100 * of_1); }

uint64_t Sum(const ReasonCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

std::string ReasonsText(const ReasonCounts& counts) {
  std::vector<std::string> parts;
  for (size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    parts.push_back(absl::StrCat(wire::MissReasonName(ReasonAt(i)), " ", FormatCount(counts[i])));
  }
  return parts.empty() ? "none" : absl::StrJoin(parts, ", ");
}

nlohmann::ordered_json ReasonsJson(const ReasonCounts& counts) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] != 0) json[wire::MissReasonName(ReasonAt(i))] = counts[i];
  }
  return json;
}

std::string LatencyText(const HistogramSnapshot& latency_us) {
  return absl::StrCat("p50 ", FormatLatency(latency_us.Quantile(0.5)), ", p99 ",
                      FormatLatency(latency_us.Quantile(0.99)), ", p99.9 ",
                      FormatLatency(latency_us.Quantile(0.999)));
}

nlohmann::ordered_json LatencyJson(const HistogramSnapshot& latency_us) {
  return {{"count", latency_us.count()},
          {"p50", latency_us.Quantile(0.5)},
          {"p99", latency_us.Quantile(0.99)},
          {"p99.9", latency_us.Quantile(0.999)}};
}

}  // namespace cairn
