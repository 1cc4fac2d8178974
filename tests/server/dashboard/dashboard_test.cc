#include "server/dashboard/dashboard.h"

#include <optional>
#include <string>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cairn/v1/overview.pb.h"
#include "tests/server/dashboard/test_clock.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kCredential[] = "0123456789abcdef";

std::string HeaderOf(const HttpReply& reply, const std::string& name) {
  const auto found = reply.headers.find(name);
  return found == reply.headers.end() ? "" : found->second;
}

struct DashboardTest : ::testing::Test {
  DashboardTest() {
    overview.set_unix_ms(9'007'199'254'740'993);
    overview.set_version("7.7");
    overview.mutable_status()->add_nodes()->set_state("ready");
  }

  absl::StatusOr<std::string> Call(const std::string& method, const std::string& request) {
    ++calls;
    if (!error.ok()) return error;
    if (method == "/cairn.v1.Observer/GetHistory") {
      EXPECT_TRUE(asked.ParseFromString(request));
      EXPECT_EQ(asked.admin_credential(), kCredential);
      return v1::GetHistoryReply().SerializeAsString();
    }
    EXPECT_EQ(method, "/cairn.v1.Observer/GetOverview");
    v1::GetOverviewRequest parsed;
    EXPECT_TRUE(parsed.ParseFromString(request));
    EXPECT_EQ(parsed.admin_credential(), kCredential);
    return overview.SerializeAsString();
  }
  static HttpRequest Local(std::map<std::string, std::string> parameters = {}) {
    HttpRequest request{.parameters = std::move(parameters), .remote_ip = "127.0.0.1"};
    request.headers.emplace("Host", "127.0.0.1:9401");
    return request;
  }
  static HttpRequest Remote() {
    HttpRequest request{.remote_ip = "10.0.0.9"};
    request.headers.emplace("Host", "cairn:9401");
    return request;
  }
  HttpReply Get(const std::string& path, const HttpRequest& request) {
    return routes.at(path)(request);
  }
  static nlohmann::json Json(const HttpReply& reply) { return nlohmann::json::parse(reply.body); }

  TestClock clock;
  SeededRandom random{1};
  v1::GetOverviewReply overview;
  v1::GetHistoryRequest asked;
  absl::Status error;
  int calls = 0;
  std::map<std::string, HttpServer::Route> routes = DashboardRoutes(
      {[this](const std::string& m, const std::string& r) { return Call(m, r); }, kCredential},
      clock, random);
};

TEST_F(DashboardTest, TheOverviewIsTheCoordinatorsWithNothingLeftOut) {
  const HttpReply reply = Get("/api/v1/overview", Local());
  EXPECT_EQ(reply.code, 200);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(HeaderOf(reply, "Cache-Control"), "no-store");
  const nlohmann::json json = Json(reply);
  EXPECT_EQ(json["unix_ms"], "9007199254740993");  // beyond what a JSON number carries
  EXPECT_EQ(json["version"], "7.7");
  EXPECT_EQ(json["status"]["nodes"][0]["state"], "ready");
  EXPECT_EQ(json["status"]["nodes"][0]["used_bytes"], "0");
  EXPECT_EQ(json["findings"], nlohmann::json::array());
}

TEST_F(DashboardTest, WhatTheCoordinatorRefusesIsToldWithItsCode) {
  error = absl::UnimplementedError("no method \"GetOverview\"\xff");
  const HttpReply reply = Get("/api/v1/overview", Local());
  EXPECT_EQ(reply.code, 501);
  EXPECT_EQ(Json(reply)["error"]["code"], "UNIMPLEMENTED");
  EXPECT_THAT(Json(reply)["error"]["message"].get<std::string>(), HasSubstr("no method"));
}

TEST_F(DashboardTest, HistoryPassesItsBoundsOn) {
  EXPECT_EQ(Get("/api/v1/history", Local({{"from", "100"}, {"to", "200"}, {"points", "7"}})).code,
            200);
  EXPECT_EQ(asked.from_unix_s(), 100);
  EXPECT_EQ(asked.to_unix_s(), 200);
  EXPECT_EQ(asked.points_max(), 7u);
  EXPECT_EQ(Get("/api/v1/history", Local()).code, 200);
  EXPECT_EQ(asked.from_unix_s(), 0);
  EXPECT_EQ(asked.points_max(), 360u);
}

TEST_F(DashboardTest, HistoryNamesABoundThatIsNoNumber) {
  for (const char* name : {"from", "to", "points"}) {
    const HttpReply reply = Get("/api/v1/history", Local({{name, "1x"}}));
    EXPECT_EQ(reply.code, 400);
    EXPECT_THAT(Json(reply)["error"]["message"].get<std::string>(), StartsWith(name));
  }
  EXPECT_EQ(calls, 0);
}

TEST_F(DashboardTest, AnotherMachineSeesTheLoginAndNoFigure) {
  const HttpReply page = Get("/", Remote());
  EXPECT_EQ(page.code, 401);
  EXPECT_THAT(page.body, HasSubstr("name=\"credential\""));
  for (const char* path : {"/api/v1/overview", "/api/v1/history", "/api/v1/stream"}) {
    const HttpReply reply = Get(path, Remote());
    EXPECT_EQ(reply.code, 401) << path;
    EXPECT_EQ(reply.stream, nullptr) << path;
    EXPECT_EQ(Json(reply)["error"]["code"], "UNAUTHENTICATED") << path;
  }
  EXPECT_EQ(calls, 0);
}

TEST_F(DashboardTest, ALoginOpensThePageAndTheApi) {
  HttpRequest form = Remote();
  form.parameters["credential"] = kCredential;
  const HttpReply reply = routes.at("POST /login")(form);
  EXPECT_EQ(reply.code, 303);
  EXPECT_EQ(HeaderOf(reply, "Location"), "/");
  HttpRequest request = Remote();
  const std::string cookie = HeaderOf(reply, "Set-Cookie");
  request.headers.emplace("Cookie", cookie.substr(0, cookie.find(';')));
  EXPECT_EQ(Get("/", request).code, 200);
  EXPECT_EQ(Get("/api/v1/overview", request).code, 200);
  routes.at("POST /logout")(request);
  EXPECT_EQ(Get("/api/v1/overview", request).code, 401);
}

TEST_F(DashboardTest, AWrongCredentialLeadsBackToTheForm) {
  HttpRequest form = Remote();
  form.parameters["credential"] = "guess";
  const HttpReply reply = routes.at("POST /login")(form);
  EXPECT_EQ(reply.code, 303);
  EXPECT_THAT(HeaderOf(reply, "Location"), StartsWith("/login"));
  EXPECT_EQ(HeaderOf(reply, "Set-Cookie"), "");
}

TEST_F(DashboardTest, AnotherSitesPageGetsNothing) {
  HttpRequest request = Local();
  request.headers.emplace("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(Get("/api/v1/stream", request).code, 403);
  EXPECT_EQ(calls, 0);
}

TEST_F(DashboardTest, EveryReplyForbidsWhatThePageDoesNotNeed) {
  for (const char* path : {"/", "/login", "/dashboard.js", "/dashboard.css", "/cairn.svg",
                           "/api/v1/overview", "/api/v1/history", "/api/v1/stream"}) {
    const HttpReply reply = Get(path, Local());
    EXPECT_THAT(HeaderOf(reply, "Content-Security-Policy"), StartsWith("default-src 'self'; "));
    EXPECT_FALSE(absl::StrContains(HeaderOf(reply, "Content-Security-Policy"), "unsafe")) << path;
    EXPECT_EQ(HeaderOf(reply, "X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(HeaderOf(reply, "Referrer-Policy"), "no-referrer") << path;
  }
}

TEST_F(DashboardTest, AFileThatTheBrowserHasIsNotSentAgain) {
  const HttpReply first = Get("/dashboard.js", Local());
  EXPECT_GT(first.body.size(), 10'000u);
  HttpRequest again = Local();
  again.headers.emplace("If-None-Match", HeaderOf(first, "ETag"));
  const HttpReply second = Get("/dashboard.js", again);
  EXPECT_EQ(second.code, 304);
  EXPECT_EQ(second.body, "");
}

TEST_F(DashboardTest, TheStreamSendsEachOverviewOnceWithItsId) {
  const HttpReply one = Get("/api/v1/stream", Local());
  const HttpReply two = Get("/api/v1/stream", Local());
  EXPECT_EQ(one.content_type, "text/event-stream");
  const std::string event = *one.stream();
  EXPECT_THAT(event, StartsWith("id: 1\nevent: overview\ndata: {"));
  EXPECT_EQ(event.find('\n', event.find("data: ")), event.size() - 2);
  EXPECT_EQ(*two.stream(), event);
  EXPECT_EQ(*one.stream(), "");
  clock.Advance(absl::Seconds(1));
  EXPECT_THAT(*one.stream(), StartsWith("id: 2\n"));
  EXPECT_THAT(*two.stream(), StartsWith("id: 2\n"));
  EXPECT_EQ(calls, 2);
}

TEST_F(DashboardTest, WhoComesBackWithTheNewestIdIsNotToldItTwice) {
  EXPECT_THAT(*Get("/api/v1/stream", Local()).stream(), StartsWith("id: 1\n"));
  HttpRequest back = Local();
  back.headers.emplace("Last-Event-ID", "1");
  EXPECT_EQ(*Get("/api/v1/stream", back).stream(), "");
}

TEST_F(DashboardTest, TheStreamTellsOfAProblemAndGoesOn) {
  const HttpReply reply = Get("/api/v1/stream", Local());
  error = absl::UnavailableError("starting");
  EXPECT_THAT(*reply.stream(),
              HasSubstr("event: problem\ndata: {\"error\":{\"code\":\"UNAVAILABLE\""));
  error = absl::OkStatus();
  clock.Advance(absl::Seconds(1));
  EXPECT_THAT(*reply.stream(), HasSubstr("event: overview\n"));
}

}  // namespace
}  // namespace cairn
