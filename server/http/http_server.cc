#include "server/http/http_server.h"

#include <sys/socket.h>

#include <atomic>
#include <thread>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <httplib.h>

#include "base/status.h"

namespace cairn {
namespace {

constexpr size_t kThreads = 2;             // scrapes and probes, one at a time each
constexpr size_t kRequestBytesMax = 4096;  // nothing here takes a body
constexpr time_t kIdleTimeout_s = 2;

// The library would set SO_REUSEPORT: then a second daemon takes half of the first one's scrapes
// instead of being told that the port is in use.
void ShareNothing(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

absl::StatusOr<std::pair<std::string, int>> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(Absl(address).substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("http_listen: \"", address, "\" must be ip:port, e.g. 127.0.0.1:9400"));
  }
  return std::pair(address.substr(0, colon), port);
}

class HttpServerImpl final : public HttpServer {
 public:
  ~HttpServerImpl() override {
    if (!thread_.joinable()) return;
    // A stop before the thread listens would be lost, and the join wait for ever.
    while (!server_.is_running() && !ended_.load()) std::this_thread::yield();
    server_.stop();
    thread_.join();
  }

  absl::Status Listen(const std::string& address, std::map<std::string, Route> routes) {
    CAIRN_ASSIGN_OR_RETURN(const auto host_port, Split(address));
    const auto& [host, port] = host_port;
    server_.set_socket_options(ShareNothing);
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(kRequestBytesMax);
    server_.set_read_timeout(kIdleTimeout_s);
    server_.set_keep_alive_timeout(kIdleTimeout_s);
    for (auto& [path, route] : routes) {
      server_.Get(path,
                  [route = std::move(route)](const httplib::Request&, httplib::Response& response) {
                    const HttpReply reply = route();
                    response.status = reply.code;
                    response.set_content(reply.body, reply.content_type);
                  });
    }
    const int bound =
        port == 0 ? server_.bind_to_any_port(host) : (server_.bind_to_port(host, port) ? port : -1);
    if (bound <= 0) {
      return absl::UnavailableError(absl::StrCat("http_listen: cannot bind ", address,
                                                 "; is the port in use? port 0 takes a free one"));
    }
    address_ = absl::StrCat(host, ":", bound);
    thread_ = std::thread([this] {
      server_.listen_after_bind();
      ended_.store(true);
    });
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }

 private:
  httplib::Server server_;
  std::string address_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace

absl::Status HttpServer::CheckAddress(const std::string& address) {
  return Split(address).status();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              std::map<std::string, Route> routes) {
  auto server = std::make_unique<HttpServerImpl>();
  CAIRN_RETURN_IF_ERROR(server->Listen(address, std::move(routes)));
  return server;
}

}  // namespace cairn
