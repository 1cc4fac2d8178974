#include "server/http/openmetrics.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr std::string_view kTotal = "_total";

// "# HELP name_total ..." and "# TYPE name_total counter" name the family.
bool NamesACounter(std::string_view line, size_t* suffix) {
  if (!line.starts_with("# HELP ") && !line.starts_with("# TYPE ")) return false;
  const size_t end = line.find(' ', sizeof("# HELP"));
  if (end == std::string_view::npos || !line.substr(0, end).ends_with(kTotal)) return false;
  *suffix = end - kTotal.size();
  return true;
}

}  // namespace

std::string ToOpenMetrics(std::string_view text) {
  std::string converted;
  converted.reserve(text.size() + 8);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    size_t suffix = 0;
    if (NamesACounter(line, &suffix)) {
      converted.append(line.substr(0, suffix)).append(line.substr(suffix + kTotal.size()));
    } else {
      converted.append(line);
    }
  }
  return converted.append("# EOF\n");
}

HttpReply OpenMetricsReply(std::string_view text) {
  return {.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
          .body = ToOpenMetrics(text)};
}

}  // namespace cairn
