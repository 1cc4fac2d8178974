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

}  // namespace
}  // namespace cairn
