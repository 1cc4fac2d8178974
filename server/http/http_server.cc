#include "server/http/http_server.h"

#include <sys/socket.h>

#include <atomic>
#include <thread>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <httplib.h>

#include "base/status.h"

namespace cairn {
namespace {

// Scrapes, probes and pages, one at a time each; browsers keep a second connection ready.
constexpr size_t kThreads = 4;
constexpr size_t kRequestBytesMax = 4096;  // nothing here takes a body
constexpr time_t kIdleTimeout_s = 2;
constexpr time_t kWriteTimeout_s = 2;  // a peer that reads slower than this is gone
constexpr char kRetryAfter_s[] = "5";
constexpr std::string_view kPost = "POST ";

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

HttpRequest RequestOf(const httplib::Request& from) {
  HttpRequest request{.path = from.path, .remote_ip = from.remote_addr};
  for (const auto& [name, value] : from.params) request.parameters.emplace(name, value);
  request.headers.insert(from.headers.begin(), from.headers.end());
  return request;
}

// The library reads paths as regular expressions.
std::string PatternOf(std::string_view path) {
  return absl::StrReplaceAll(Absl(path), {{".", "\\."}});
}

// A stream that is open, as one of kStreamsMax.
class StreamSlot {
 public:
  explicit StreamSlot(std::atomic<int>& open) : open_(open), granted_(++open <= kStreamsMax) {}
  ~StreamSlot() { --open_; }
  StreamSlot(const StreamSlot&) = delete;
  StreamSlot& operator=(const StreamSlot&) = delete;
  bool granted() const { return granted_; }

 private:
  std::atomic<int>& open_;
  const bool granted_;
};

class HttpServerImpl final : public HttpServer {
 public:
  ~HttpServerImpl() override {
    if (!thread_.joinable()) return;
    // A stop before the thread listens would be lost, and the join wait for ever.
    while (!server_.is_running() && !ended_.load()) std::this_thread::yield();
    stopping_.store(true);
    server_.stop();
    thread_.join();
  }

  absl::Status Listen(const std::string& address, std::map<std::string, Route> routes) {
    CAIRN_ASSIGN_OR_RETURN(const auto host_port, Split(address));
    const auto& [host, port] = host_port;
    SetBounds();
    for (auto& [path, route] : routes) Add(path, std::move(route));
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
  void SetBounds() {
    server_.set_socket_options(ShareNothing);
    server_.set_tcp_nodelay(true);
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads + kStreamsMax); };
    server_.set_payload_max_length(kRequestBytesMax);
    server_.set_read_timeout(kIdleTimeout_s);
    server_.set_write_timeout(kWriteTimeout_s);
    // A connection that is kept holds a thread and does nothing.
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(kIdleTimeout_s);
  }

  void Add(const std::string& key, Route route) {
    const auto handler = [this, route = std::move(route)](const httplib::Request& request,
                                                          httplib::Response& response) {
      Answer(route(RequestOf(request)), response);
    };
    if (absl::StartsWith(key, Absl(kPost))) {
      server_.Post(PatternOf(std::string_view(key).substr(kPost.size())), handler);
    } else {
      server_.Get(PatternOf(key), handler);
    }
  }

  void Answer(HttpReply reply, httplib::Response& response) {
    response.status = reply.code;
    response.headers.insert(reply.headers.begin(), reply.headers.end());
    if (reply.stream) {
      Stream(reply, response);
    } else {
      response.set_content(reply.body, reply.content_type);
    }
  }

  void Stream(HttpReply& reply, httplib::Response& response) {
    auto slot = std::make_shared<StreamSlot>(streams_);
    if (!slot->granted()) {
      response.status = 503;
      response.set_header("Retry-After", kRetryAfter_s);
      response.set_content("too many streams are open\n", "text/plain");
      return;
    }
    response.set_content_provider(reply.content_type, [this, slot, next = std::move(reply.stream)](
                                                          size_t, httplib::DataSink& sink) {
      const std::optional<std::string> bytes = stopping_.load() ? std::nullopt : next();
      if (!bytes.has_value()) {
        sink.done();
        return true;
      }
      return bytes->empty() ? sink.is_writable() : sink.write(bytes->data(), bytes->size());
    });
  }

  httplib::Server server_;
  std::atomic<int> streams_{0};
  std::atomic<bool> stopping_{false};
  std::string address_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace

HttpReply HealthReply(const absl::Status& health) {
  if (health.ok()) return {.body = "live\n"};
  return {.code = 503, .body = absl::StrCat(health.message(), "\n")};
}

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, Absl(name))) return value;
  }
  return {};
}

std::string HttpRequest::Parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

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
