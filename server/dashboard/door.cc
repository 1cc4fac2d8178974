#include "server/dashboard/door.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include "base/hex.h"
#include "base/loopback.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr char kCookie[] = "cairn_session";

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool FromThisMachine(std::string_view ip) {
  return absl::StartsWith(Absl(ip), "127.") || ip == "::1" ||
         absl::StartsWith(Absl(ip), "::ffff:127.");
}

// With or without a port.
bool IsLoopbackHost(std::string_view host) {
  return host == "localhost" || host == "[::1]" || IsLoopback(host);
}

bool CameThroughProxy(const HttpRequest& request) {
  constexpr std::array kSigns = {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip",
                                 "via"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](const char* sign) { return !request.Header(sign).empty(); });
}

std::string_view CookieOf(const HttpRequest& request) {
  const std::string prefix = absl::StrCat(kCookie, "=");
  for (absl::string_view part : absl::StrSplit(Absl(request.Header("cookie")), ';')) {
    part = absl::StripAsciiWhitespace(part);
    if (absl::ConsumePrefix(&part, prefix)) return {part.data(), part.size()};
  }
  return {};
}

std::string SetCookie(const HttpRequest& request, std::string_view token, absl::Duration life) {
  const bool encrypted = request.Header("x-forwarded-proto") == "https";
  return absl::StrCat(kCookie, "=", Absl(token),
                      "; Path=/; HttpOnly; SameSite=Strict; Max-Age=", absl::ToInt64Seconds(life),
                      encrypted ? "; Secure" : "");
}

}  // namespace

Door::Door(std::string admin_credential, Clock& clock, Random& random)
    : admin_(std::move(admin_credential)), clock_(clock), random_(random) {}

bool Door::Admits(const HttpRequest& request) {
  if (FromThisMachine(request.remote_ip) && IsLoopbackHost(request.Header("host")) &&
      !CameThroughProxy(request)) {
    return true;
  }
  absl::string_view bearer = Absl(request.Header("authorization"));
  if (absl::ConsumePrefix(&bearer, "Bearer ") && Same({bearer.data(), bearer.size()}, admin_)) {
    return true;
  }
  return KnowsSession(CookieOf(request));
}

bool Door::SameSite(const HttpRequest& request) {
  const std::string_view site = request.Header("sec-fetch-site");
  return site.empty() || site == "same-origin" || site == "none";
}

bool Door::KnowsSession(std::string_view token) {
  const MutexLock lock(mutex_);
  const Instant now = clock_.Now();
  bool known = false;
  for (const auto& [session, end] : sessions_) known |= Same(token, session) && now < end;
  return known;
}

std::string Door::LogIn(const HttpRequest& request, std::string_view credential) {
  if (!Same(credential, admin_)) return "";
  std::array<std::byte, 32> bytes;
  const MutexLock lock(mutex_);
  random_.Fill(absl::MakeSpan(bytes));
  if (sessions_.size() >= kDashboardSessionsMax) {
    sessions_.erase(
        std::min_element(sessions_.begin(), sessions_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  const std::string token = HexEncode(bytes);
  sessions_[token] = clock_.Now() + kDashboardSession;
  return SetCookie(request, token, kDashboardSession);
}

std::string Door::LogOut(const HttpRequest& request) {
  const std::string token(CookieOf(request));
  const MutexLock lock(mutex_);
  sessions_.erase(token);
  return SetCookie(request, "", absl::ZeroDuration());
}

}  // namespace cairn
