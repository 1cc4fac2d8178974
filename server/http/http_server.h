// The small HTTP port of a daemon: GET /metrics, /healthz, /readyz and what else is registered.
#ifndef CAIRN_SERVER_HTTP_HTTP_SERVER_H_
#define CAIRN_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace cairn {

struct HttpRequest {
  std::string path;
  std::map<std::string, std::string> parameters;  // of the query, or of a form that was posted
  std::multimap<std::string, std::string> headers;
  std::string remote_ip;

  // The first of the name, whatever its case; empty if there is none.
  std::string_view Header(std::string_view name) const;
  // Empty if there is none.
  std::string Parameter(const std::string& name) const;
};

// Gives the next bytes of a body without an end, "" when nothing came within about 250 ms, nullopt
// when it ends. Called on one server thread; destroyed when the peer is gone.
using HttpStream = std::function<std::optional<std::string>()>;

struct HttpReply {
  int code = 200;
  std::string content_type = "text/plain; version=0.0.4";
  std::string body;
  std::multimap<std::string, std::string> headers = {};
  HttpStream stream = nullptr;  // instead of body
};

// /healthz of whoever has this health: 503 with the reason when it is bad.
HttpReply HealthReply(const absl::Status& health);

// Streams open at once; one more gets 503 and Retry-After. Each has a thread of its own, so that
// scrapes and probes never wait for one.
inline constexpr int kStreamsMax = 16;

class HttpServer {
 public:
  // Called on a server thread; must be thread-safe and quick.
  using Route = std::function<HttpReply(const HttpRequest&)>;
  // kInvalidArgument: not "ip:port".
  static absl::Status CheckAddress(const std::string& address);
  // address: "ip:port", port 0 takes a free one. A route's key is its path, or "POST " and its
  // path. Serves until destroyed. kUnavailable: cannot bind; names the address. kInvalidArgument:
  // no address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           std::map<std::string, Route> routes);
  virtual ~HttpServer() = default;
  virtual const std::string& address() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_HTTP_HTTP_SERVER_H_
