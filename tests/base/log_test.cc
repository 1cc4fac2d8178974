#include "base/log.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

class LogTest : public testing::Test {
 protected:
  void TearDown() override { SetLog(LogLevel::kInfo, LogFormat::kKeyValue); }

  std::string Logged(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields = {}) {
    CaptureStderr();
    Log(level, event, fields);
    return GetCapturedStderr();
  }
};

TEST_F(LogTest, ALineIsTimeLevelEventAndFields) {
  EXPECT_THAT(Logged(LogLevel::kInfo, "node_joined", {{"node", "n3"}, {"incarnation", 7}}),
              MatchesRegex("time=[-0-9]+T[0-9:]+[.][0-9]+Z level=info event=node_joined node=n3 "
                           "incarnation=7\n"));
}

TEST_F(LogTest, EachTypeOfValueIsWrittenPlainly) {
  EXPECT_THAT(Logged(LogLevel::kWarning, "types",
                     {{"yes", true},
                      {"ratio", 0.25},
                      {"low", int64_t{INT64_MIN}},
                      {"high", uint64_t{UINT64_MAX}},
                      {"text", std::string("a-b/c")},
                      {"view", absl::string_view("v")}}),
              EndsWith("level=warning event=types yes=true ratio=0.25 low=-9223372036854775808 "
                       "high=18446744073709551615 text=a-b/c view=v\n"));
}

TEST_F(LogTest, ATextThatCouldBreakTheLineIsQuoted) {
  EXPECT_THAT(Logged(LogLevel::kError, "quotes",
                     {{"empty", ""}, {"space", "a b"}, {"sign", "a=b"}, {"mark", R"(say "\")"}}),
              EndsWith(R"(event=quotes empty="" space="a b" sign="a=b" mark="say \"\\\"")"
                       "\n"));
  EXPECT_THAT(Logged(LogLevel::kError, "lines", {{"forged", "x\nlevel=info\x1b"}}),
              EndsWith(R"(forged="x\nlevel=info\u001b")"
                       "\n"));
}

TEST_F(LogTest, BracesAreNoFormat) {
  EXPECT_THAT(Logged(LogLevel::kInfo, "braces", {{"text", "{}%s%v"}}), EndsWith("text={}%s%v\n"));
}

TEST_F(LogTest, JsonIsOneObjectPerLine) {
  SetLog(LogLevel::kInfo, LogFormat::kJson);
  EXPECT_THAT(Logged(LogLevel::kError, "node_lost",
                     {{"node", "n\t3"}, {"age_s", 1.5}, {"nan", std::nan("")}, {"up", false}}),
              MatchesRegex(R"(\{"time":"[-0-9]+T[0-9:]+[.][0-9]+Z","level":"error",)"
                           R"("event":"node_lost","node":"n\\u00093","age_s":1[.]5,"nan":null,)"
                           R"("up":false\})"
                           "\n"));
}

TEST_F(LogTest, LinesBelowTheLevelAreSilent) {
  EXPECT_EQ(Logged(LogLevel::kDebug, "quiet"), "");
  SetLog(LogLevel::kError, LogFormat::kKeyValue);
  EXPECT_EQ(Logged(LogLevel::kWarning, "quiet"), "");
  EXPECT_THAT(Logged(LogLevel::kError, "loud"), HasSubstr("event=loud"));
  SetLog(LogLevel::kDebug, LogFormat::kKeyValue);
  EXPECT_THAT(Logged(LogLevel::kDebug, "detail"), HasSubstr("level=debug event=detail"));
}

class FakeClock final : public Clock {
 public:
  Instant Now() override { return now; }
  int64_t UnixSeconds() override { return 0; }

  Instant now{0};
};

TEST(LogRateLimit, OneLinePerIntervalTellsHowManyWereHeldBack) {
  FakeClock clock;
  LogRateLimit limit(clock, absl::Seconds(10));
  EXPECT_EQ(limit.Admit(), 0u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.Admit(), std::nullopt);
  clock.now = clock.now + absl::Seconds(10) - absl::Nanoseconds(1);
  EXPECT_EQ(limit.Admit(), std::nullopt);
  clock.now = clock.now + absl::Nanoseconds(1);
  EXPECT_EQ(limit.Admit(), 6u);
  EXPECT_EQ(limit.Admit(), std::nullopt);
}

}  // namespace
}  // namespace cairn
