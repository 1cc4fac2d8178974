#include "server/http/openmetrics.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(OpenMetrics, ACountersFamilyHasNoSuffixAndItsSamplesHaveOne) {
  EXPECT_EQ(ToOpenMetrics("# HELP cairn_gets_total Blocks in _total asked for.\n"
                          "# TYPE cairn_gets_total counter\n"
                          "cairn_gets_total 5\n"),
            "# HELP cairn_gets Blocks in _total asked for.\n"
            "# TYPE cairn_gets counter\n"
            "cairn_gets_total 5\n"
            "# EOF\n");
}

TEST(OpenMetrics, OtherFamiliesStayAsTheyAre) {
  constexpr char kText[] =
      "# HELP cairn_pins Pins held.\n"
      "# TYPE cairn_pins gauge\n"
      "cairn_pins 3\n"
      "# HELP cairn_get_seconds Of blocks.\n"
      "# TYPE cairn_get_seconds histogram\n"
      "cairn_get_seconds_bucket{le=\"+Inf\"} 1\n";
  EXPECT_EQ(ToOpenMetrics(kText), std::string(kText) + "# EOF\n");
}

TEST(OpenMetrics, TheReplySaysWhichFormatItIs) {
  EXPECT_EQ(OpenMetricsReply("").body, "# EOF\n");
  EXPECT_EQ(OpenMetricsReply("a 1\n").content_type,
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

// As Prometheus 2.45, curl and a browser ask.
constexpr char kPrometheus[] =
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
constexpr char kBrowser[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

std::string TypeFor(const std::string& accept) {
  HttpRequest request;
  if (!accept.empty()) request.headers.emplace("accept", accept);
  return MetricsReply(request, "a 1\n").content_type;
}

TEST(OpenMetrics, WhoPrefersItGetsItAtTheUsualPath) {
  const std::string open = OpenMetricsReply("").content_type;
  for (const char* accept :
       {kPrometheus, "application/openmetrics-text", "text/plain, application/openmetrics-text",
        "text/plain;q=0.1 , application/openmetrics-text ; q=0.2"}) {
    EXPECT_EQ(TypeFor(accept), open) << accept;
  }
  HttpRequest request;
  request.headers.emplace("Accept", kPrometheus);
  EXPECT_EQ(MetricsReply(request, "a 1\n").body, "a 1\n# EOF\n");
}

TEST(OpenMetrics, AnybodyElseGetsTheOlderFormat) {
  for (const char* accept :
       {"", "*/*", kBrowser, "application/openmetrics-text;q=0", ";,;;q=,",
        "application/openmetrics-text;q=much", "application/openmetrics-textual",
        "application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.4"}) {
    EXPECT_EQ(TypeFor(accept), HttpReply().content_type) << accept;
  }
}

}  // namespace
}  // namespace cairn
