// The small HTTP port of a daemon: GET /metrics, /healthz, /readyz and what else is registered.
#ifndef CAIRN_SERVER_HTTP_HTTP_SERVER_H_
#define CAIRN_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

namespace cairn {

struct HttpReply {
  int code = 200;
  std::string content_type = "text/plain; version=0.0.4";
  std::string body;
};

// Serves with two threads until destroyed.
class HttpServer {
 public:
  // Called on a server thread; must be thread-safe and quick.
  using Route = std::function<HttpReply()>;
  // kInvalidArgument: not "ip:port".
  static absl::Status CheckAddress(const std::string& address);
  // address: "ip:port", port 0 takes a free one. kUnavailable: cannot bind; names the address.
  // kInvalidArgument: no address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           std::map<std::string, Route> routes);
  virtual ~HttpServer() = default;
  virtual const std::string& address() const = 0;
};

}  // namespace cairn

#endif  // CAIRN_SERVER_HTTP_HTTP_SERVER_H_
