#include "server/dashboard/door.h"

#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/dashboard/test_clock.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCredential[] = "0123456789abcdef";

HttpRequest From(std::string ip, std::string host,
                 std::vector<std::pair<std::string, std::string>> more = {}) {
  HttpRequest request{.path = "/", .remote_ip = std::move(ip)};
  request.headers.emplace("Host", std::move(host));
  for (auto& [name, value] : more) request.headers.emplace(name, value);
  return request;
}

struct DoorTest : ::testing::Test {
  // What a browser would send back.
  std::string LoggedIn(std::string_view credential = kCredential) {
    const std::string cookie = door.LogIn(From("10.0.0.9", "cairn:9401"), credential);
    return cookie.substr(0, cookie.find(';'));
  }
  bool AdmitsCookie(const std::string& cookie) {
    return door.Admits(From("10.0.0.9", "cairn:9401", {{"Cookie", cookie}}));
  }

  TestClock clock;
  SeededRandom random{1};
  Door door{kCredential, clock, random};
};

TEST_F(DoorTest, IsOpenOnThisMachine) {
  EXPECT_TRUE(door.Admits(From("127.0.0.1", "127.0.0.1:9401")));
  EXPECT_TRUE(door.Admits(From("127.0.0.1", "localhost:9401")));
  EXPECT_TRUE(door.Admits(From("127.0.0.1", "localhost")));
  EXPECT_TRUE(door.Admits(From("::1", "[::1]:9401")));
}

TEST_F(DoorTest, IsShutForANameThatWasMadeToPointHere) {
  EXPECT_FALSE(door.Admits(From("127.0.0.1", "evil.example:9401")));
  EXPECT_FALSE(door.Admits(From("127.0.0.1", "localhost.evil.example:9401")));
  EXPECT_FALSE(door.Admits(From("127.0.0.1", "")));
}

TEST_F(DoorTest, IsShutForOtherMachinesWhateverHostTheyName) {
  EXPECT_FALSE(door.Admits(From("10.0.0.9", "localhost:9401")));
  EXPECT_FALSE(door.Admits(From("10.0.0.9", "cairn:9401")));
}

TEST_F(DoorTest, IsShutForThoseWhoComeThroughAProxyOnThisMachine) {
  for (const char* sign : {"X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"}) {
    EXPECT_FALSE(door.Admits(From("127.0.0.1", "127.0.0.1:9401", {{sign, "10.0.0.9"}}))) << sign;
  }
}

TEST_F(DoorTest, TheCredentialOpensItFromAnywhere) {
  const auto with = [](const std::string& authorization) {
    return From("10.0.0.9", "cairn:9401", {{"authorization", authorization}});
  };
  EXPECT_TRUE(door.Admits(with(absl::StrCat("Bearer ", kCredential))));
  for (const std::string wrong :
       {"", "Bearer ", "Bearer 0123456789abcdee", "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0", "0123456789abcdef"}) {
    EXPECT_FALSE(door.Admits(with(wrong))) << wrong;
  }
}

TEST_F(DoorTest, ALoginIsACookieThatScriptsAndOtherSitesDoNotGet) {
  const std::string cookie = door.LogIn(From("10.0.0.9", "cairn"), kCredential);
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly"));
  EXPECT_THAT(cookie, HasSubstr("; SameSite=Strict"));
  EXPECT_THAT(cookie, Not(HasSubstr(kCredential)));
  EXPECT_THAT(cookie, Not(HasSubstr("Secure")));
  EXPECT_THAT(door.LogIn(From("127.0.0.1", "cairn", {{"X-Forwarded-Proto", "https"}}), kCredential),
              HasSubstr("; Secure"));
}

TEST_F(DoorTest, ACookieOpensItUntilItsEnd) {
  const std::string cookie = LoggedIn();
  EXPECT_TRUE(AdmitsCookie(cookie));
  EXPECT_TRUE(AdmitsCookie(absl::StrCat("other=1; ", cookie)));
  EXPECT_FALSE(AdmitsCookie(absl::StrCat(cookie, "0")));
  EXPECT_FALSE(AdmitsCookie("cairn_session="));
  clock.Advance(kDashboardSession);
  EXPECT_FALSE(AdmitsCookie(cookie));
}

TEST_F(DoorTest, AWrongCredentialGetsNoCookie) {
  EXPECT_EQ(LoggedIn("0123456789abcdee"), "");
  EXPECT_EQ(LoggedIn(""), "");
}

TEST_F(DoorTest, LoggingOutEndsTheSession) {
  const std::string cookie = LoggedIn();
  EXPECT_THAT(door.LogOut(From("10.0.0.9", "cairn", {{"Cookie", cookie}})), HasSubstr("Max-Age=0"));
  EXPECT_FALSE(AdmitsCookie(cookie));
}

TEST_F(DoorTest, TooManySessionsCostTheOldest) {
  const std::string first = LoggedIn();
  std::string last;
  for (size_t i = 0; i < kDashboardSessionsMax; ++i) {
    clock.Advance(absl::Seconds(1));
    last = LoggedIn();
  }
  EXPECT_FALSE(AdmitsCookie(first));
  EXPECT_TRUE(AdmitsCookie(last));
}

TEST_F(DoorTest, AnotherSitesPageAsksInVain) {
  for (const char* site : {"cross-site", "same-site"}) {
    EXPECT_FALSE(Door::SameSite(From("127.0.0.1", "127.0.0.1", {{"Sec-Fetch-Site", site}})));
  }
  for (const char* site : {"same-origin", "none"}) {
    EXPECT_TRUE(Door::SameSite(From("127.0.0.1", "127.0.0.1", {{"Sec-Fetch-Site", site}})));
  }
  EXPECT_TRUE(Door::SameSite(From("127.0.0.1", "127.0.0.1")));
}

}  // namespace
}  // namespace cairn
