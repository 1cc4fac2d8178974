#include "server/dashboard/dashboard.h"

#include <openssl/sha.h>

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "cairn/v1/overview.pb.h"
#include "server/dashboard/api_reply.h"
#include "server/dashboard/door.h"
#include "server/dashboard/overview_feed.h"
#include "server/dashboard/web_files.h"

namespace cairn {
namespace {

constexpr absl::Duration kStreamPatience = absl::Milliseconds(250);
constexpr uint32_t kPointsDefault = 360;
constexpr char kJson[] = "application/json";
constexpr char kHtml[] = "text/html; charset=utf-8";
// Nothing from elsewhere, nothing inline, no frame around it.
constexpr char kPolicy[] =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'";

// What the routes share.
struct Parts {
  Parts(DashboardSource from, Clock& clock, Random& random)
      : source(std::move(from)),
        door(source.admin_credential, clock, random),
        feed([this] { return Overview(); }, clock) {}

  template <typename Request>
  absl::StatusOr<std::string> Call(const char* method, Request request) const {
    request.set_admin_credential(source.admin_credential);
    return source.call(absl::StrCat("/cairn.v1.Observer/", method), request.SerializeAsString());
  }
  ApiReply Overview() const {
    v1::GetOverviewReply reply;
    return ApiReplyOf(Call("GetOverview", v1::GetOverviewRequest()), reply);
  }

  const DashboardSource source;
  Door door;
  OverviewFeed feed;
};

HttpReply WithSafety(HttpReply reply) {
  reply.headers.insert({{"Content-Security-Policy", kPolicy},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cross-Origin-Resource-Policy", "same-origin"}});
  return reply;
}

HttpReply JsonReply(ApiReply api) {
  HttpReply reply{.code = api.code, .content_type = kJson, .body = std::move(api.json)};
  reply.headers = {{"Cache-Control", "no-store"}};
  if (api.code == 401) reply.headers.emplace("WWW-Authenticate", "Bearer");
  return reply;
}

std::string TagOf(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return absl::StrCat(
      "\"", absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), 8}), "\"");
}

// A file that does not change while the program runs.
HttpServer::Route File(std::string_view bytes, std::string_view content_type) {
  const std::string tag = TagOf(bytes);
  return [=](const HttpRequest& request) {
    HttpReply reply{.content_type = std::string(content_type)};
    reply.headers = {{"ETag", tag}, {"Cache-Control", "no-cache"}};
    if (request.Header("if-none-match") == tag) {
      reply.code = 304;
    } else {
      reply.body = bytes;
    }
    return WithSafety(std::move(reply));
  };
}

HttpServer::Route Page(std::shared_ptr<Parts> parts) {
  return [parts = std::move(parts), page = File(DashboardHtml(), kHtml),
          login = File(LoginHtml(), kHtml)](const HttpRequest& request) {
    if (parts->door.Admits(request)) return page(request);
    HttpReply reply = login(request);
    reply.code = 401;
    reply.headers.emplace("WWW-Authenticate", "Bearer");
    return reply;
  };
}

HttpServer::Route LogIn(std::shared_ptr<Parts> parts) {
  return [parts = std::move(parts)](const HttpRequest& request) {
    const std::string cookie = parts->door.LogIn(request, request.Parameter("credential"));
    HttpReply reply{.code = 303};
    reply.headers = {{"Location", cookie.empty() ? "/login?wrong=1" : "/"}};
    if (!cookie.empty()) reply.headers.emplace("Set-Cookie", cookie);
    return WithSafety(std::move(reply));
  };
}

HttpServer::Route LogOut(std::shared_ptr<Parts> parts) {
  return [parts = std::move(parts)](const HttpRequest& request) {
    HttpReply reply{.code = 303};
    reply.headers = {{"Location", "/"}, {"Set-Cookie", parts->door.LogOut(request)}};
    return WithSafety(std::move(reply));
  };
}

// What needs the operator's eyes: refuses all others.
HttpServer::Route Guarded(std::shared_ptr<Parts> parts,
                          std::function<HttpReply(Parts&, const HttpRequest&)> route) {
  return [parts = std::move(parts), route = std::move(route)](const HttpRequest& request) {
    if (!Door::SameSite(request)) {
      return WithSafety(JsonReply(
          ApiError(absl::PermissionDeniedError("asked for by the page of another site"))));
    }
    if (!parts->door.Admits(request)) {
      return WithSafety(JsonReply(ApiError(absl::UnauthenticatedError(
          "not from this machine: log in at /, or send `Authorization: Bearer` and the content of "
          "the file `admin` of the coordinator's state folder"))));
    }
    return WithSafety(route(*parts, request));
  };
}

// An absent parameter is `otherwise`.
template <typename Number>
absl::Status ReadNumber(const HttpRequest& request, const char* name, Number otherwise,
                        Number& out) {
  const std::string text = request.Parameter(name);
  out = otherwise;
  if (text.empty() || absl::SimpleAtoi(text, &out)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": \"", text, "\" is not a whole number"));
}

absl::StatusOr<v1::GetHistoryRequest> HistoryRequestOf(const HttpRequest& request) {
  int64_t from = 0;
  int64_t to = 0;
  uint32_t points = 0;
  CAIRN_RETURN_IF_ERROR(ReadNumber(request, "from", int64_t{0}, from));
  CAIRN_RETURN_IF_ERROR(ReadNumber(request, "to", int64_t{0}, to));
  CAIRN_RETURN_IF_ERROR(ReadNumber(request, "points", kPointsDefault, points));
  v1::GetHistoryRequest history;
  history.set_from_unix_s(from);
  history.set_to_unix_s(to);
  history.set_points_max(points);
  return history;
}

HttpReply History(Parts& parts, const HttpRequest& request) {
  const absl::StatusOr<v1::GetHistoryRequest> history = HistoryRequestOf(request);
  if (!history.ok()) return JsonReply(ApiError(history.status()));
  v1::GetHistoryReply reply;
  return JsonReply(ApiReplyOf(parts.Call("GetHistory", *history), reply));
}

std::string EventOf(const OverviewFeed::Item& item) {
  return absl::StrCat("id: ", item.id, "\nevent: ", item.reply.code == 200 ? "overview" : "problem",
                      "\ndata: ", item.reply.json, "\n\n");
}

// Each event is the whole state: who comes back needs the newest alone, and that only if it is new.
HttpReply Stream(std::shared_ptr<Parts> parts, const HttpRequest& request) {
  uint64_t seen = 0;
  if (!absl::SimpleAtoi(Absl(request.Header("last-event-id")), &seen)) seen = 0;
  HttpReply reply{.content_type = "text/event-stream"};
  reply.headers = {{"Cache-Control", "no-store"}};
  reply.stream = [parts = std::move(parts), seen]() mutable -> std::optional<std::string> {
    const std::optional<OverviewFeed::Item> item = parts->feed.After(seen, kStreamPatience);
    if (!item.has_value()) return "";
    seen = item->id;
    return EventOf(*item);
  };
  return reply;
}

}  // namespace

std::map<std::string, HttpServer::Route> DashboardRoutes(DashboardSource source, Clock& clock,
                                                         Random& random) {
  const auto parts = std::make_shared<Parts>(std::move(source), clock, random);
  return {
      {"/", Page(parts)},
      {"/login", File(LoginHtml(), kHtml)},
      {"POST /login", LogIn(parts)},
      {"POST /logout", LogOut(parts)},
      {"/dashboard.js", File(DashboardJs(), "text/javascript; charset=utf-8")},
      {"/dashboard.css", File(DashboardCss(), "text/css; charset=utf-8")},
      {"/cairn.svg", File(DashboardIcon(), "image/svg+xml")},
      {"/api/v1/overview",
       Guarded(parts, [](Parts& p, const HttpRequest&) { return JsonReply(p.feed.Now().reply); })},
      {"/api/v1/history", Guarded(parts, History)},
      {"/api/v1/stream", Guarded(parts, [parts](Parts&, const HttpRequest& request) {
         return Stream(parts, request);
       })}};
}

}  // namespace cairn
