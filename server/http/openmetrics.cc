#include "server/http/openmetrics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include "base/status.h"

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

// How much of `type` an Accept header wants: the q of its first mention, 0 without one.
double Wanted(std::string_view accept, std::string_view type) {
  for (const absl::string_view entry : absl::StrSplit(Absl(accept), ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(entry, ';');
    if (absl::StripAsciiWhitespace(parts[0]) != Absl(type)) continue;
    double wanted = 1;
    for (absl::string_view part : parts) {
      part = absl::StripAsciiWhitespace(part);
      if (absl::ConsumePrefix(&part, "q=") && !absl::SimpleAtod(part, &wanted)) return 0;
    }
    return wanted;
  }
  return 0;
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

HttpReply MetricsReply(const HttpRequest& request, std::string text) {
  const std::string_view accept = request.Header("Accept");
  const double wanted = Wanted(accept, "application/openmetrics-text");
  if (wanted > 0 && wanted >= Wanted(accept, "text/plain")) return OpenMetricsReply(text);
  return {.body = std::move(text)};
}

}  // namespace cairn
