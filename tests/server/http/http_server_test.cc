#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/handle.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr timeval kPatience{10, 0};

// A connection that says what it is told, well-formed or not.
class Connection {
 public:
  explicit Connection(const std::string& address)
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const size_t colon = address.rfind(':');
    int port = 0;
    CAIRN_CHECK(absl::SimpleAtoi(address.substr(colon + 1), &port));
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<uint16_t>(port));
    CAIRN_CHECK(inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) == 1);
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    connected_ =
        connect(socket_.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0;
  }
  bool connected() const { return connected_; }
  void Send(const std::string& bytes) const {
    send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void EndSending() const { shutdown(socket_.get(), SHUT_WR); }
  // Everything until the server closes.
  std::string ReadAll() const {
    std::string all;
    char piece[4096];
    ssize_t count;
    while ((count = recv(socket_.get(), piece, sizeof(piece), 0)) > 0) {
      all.append(piece, static_cast<size_t>(count));
    }
    return all;
  }
  // What comes first.
  std::string ReadSome() const {
    char piece[4096];
    const ssize_t count = recv(socket_.get(), piece, sizeof(piece), 0);
    return {piece, count > 0 ? static_cast<size_t>(count) : 0};
  }

 private:
  FileDescriptor socket_;
  bool connected_ = false;
};

std::string Request(const std::string& address, const std::string& line) {
  const Connection connection(address);
  connection.Send(
      absl::StrCat(line, "\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  return connection.ReadAll();
}

std::string Get(const std::string& address, const std::string& path) {
  return Request(address, absl::StrCat("GET ", path, " HTTP/1.1"));
}

struct HttpServerTest : ::testing::Test {
  HttpServerTest() {
    std::map<std::string, HttpServer::Route> routes;
    routes["/metrics"] = [](const HttpRequest&) { return HttpReply{.body = "cairn_pins 0\n"}; };
    routes["/healthz"] = [](const HttpRequest&) { return HttpReply{.body = "ok\n"}; };
    routes["/readyz"] = [this](const HttpRequest&) {
      return ready ? HttpReply{.body = "ready\n"} : HttpReply{.code = 503, .body = "not ready\n"};
    };
    routes["/echo.txt"] = [](const HttpRequest& request) {
      return HttpReply{.body = absl::StrCat(request.path, " q=", request.Parameter("q"),
                                            " h=", std::string(request.Header("x-it")), " from ",
                                            request.remote_ip),
                       .headers = {{"X-Mine", "yes"}}};
    };
    routes["POST /login"] = [](const HttpRequest& request) {
      return HttpReply{.code = 303, .body = request.Parameter("secret")};
    };
    routes["/endless"] = [this](const HttpRequest&) {
      ++streams;
      const std::shared_ptr<void> ended(nullptr, [this](void*) { --streams; });
      return HttpReply{.content_type = "text/event-stream", .stream = [ended] {
                         usleep(10'000);
                         return std::optional<std::string>("data: more\n\n");
                       }};
    };
    server = HttpServer::Start("127.0.0.1:0", std::move(routes)).value();
  }
  const std::string& address() const { return server->address(); }

  std::atomic<bool> ready{false};
  std::atomic<int> streams{0};
  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpServerTest, ServesMetricsAsPrometheusText) {
  const std::string reply = Get(address(), "/metrics");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(reply, HasSubstr("\r\n\r\ncairn_pins 0\n"));
}

TEST_F(HttpServerTest, HealthIsToldByTheCode) {
  EXPECT_THAT(Get(address(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ReadinessFollowsTheRoute) {
  EXPECT_THAT(Get(address(), "/readyz"), StartsWith("HTTP/1.1 503"));
  ready = true;
  EXPECT_THAT(Get(address(), "/readyz"), StartsWith("HTTP/1.1 200"));
  ready = false;
  EXPECT_THAT(Get(address(), "/readyz"), StartsWith("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, UnknownPathsAndMethodsAreNotFound) {
  for (const char* path : {"/", "/metrics/", "/healthzz", "/../etc/passwd", "/%00"}) {
    EXPECT_THAT(Get(address(), path), StartsWith("HTTP/1.1 404")) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    const std::string reply = Request(address(), absl::StrCat(method, " /metrics HTTP/1.1"));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 4")) << method;
  }
}

TEST_F(HttpServerTest, BadRequestsAreRefusedAndTheNextOneIsServed) {
  const std::vector<std::string> bad = {
      "garbage\r\n\r\n",
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET /metrics HTTP/9.9\r\n\r\n",
      "POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + std::string(100000, 'x'),
      "POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
      "GET /" + std::string(100000, 'a') + " HTTP/1.1\r\n\r\n",
      std::string("\0\xff\x80\r\n\r\n", 7),
  };
  for (const std::string& request : bad) {
    const Connection connection(address());
    ASSERT_TRUE(connection.connected());
    connection.Send(request);
    connection.EndSending();
    const std::string reply = connection.ReadAll();
    EXPECT_TRUE(reply.empty() || reply.rfind("HTTP/1.1 4", 0) == 0 ||
                reply.rfind("HTTP/1.1 5", 0) == 0)
        << request.substr(0, 60) << " -> " << reply.substr(0, 60);
    EXPECT_THAT(Get(address(), "/healthz"), StartsWith("HTTP/1.1 200")) << request.substr(0, 60);
  }
}

TEST_F(HttpServerTest, PeersThatLeaveOrSayNothingDoNotStopIt) {
  std::vector<Connection> silent;
  for (int i = 0; i < 8; ++i) {
    silent.emplace_back(address());
    silent.back().Send("GET /met");
  }
  silent.erase(silent.begin(), silent.begin() + 6);
  EXPECT_THAT(Get(address(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ServesManyAtOnce) {
  std::atomic<int> served{0};
  std::vector<std::thread> clients;
  clients.reserve(16);
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([this, &served] {
      if (Get(address(), "/metrics").rfind("HTTP/1.1 200", 0) == 0) ++served;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 16);
}

TEST_F(HttpServerTest, ARouteSeesPathQueryHeadersAndPeer) {
  const std::string reply = Request(address(), "GET /echo.txt?q=a%20b HTTP/1.1\r\nX-IT: seen");
  EXPECT_THAT(reply, HasSubstr("\r\n\r\n/echo.txt q=a b h=seen from 127.0.0.1"));
  EXPECT_THAT(reply, HasSubstr("X-Mine: yes\r\n"));
}

TEST_F(HttpServerTest, ADotInAPathIsADot) {
  EXPECT_THAT(Get(address(), "/echo-txt"), StartsWith("HTTP/1.1 404"));
}

TEST_F(HttpServerTest, APostedFormComesAsParameters) {
  const Connection connection(address());
  connection.Send(
      "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      "Content-Length: 12\r\n\r\nsecret=a%2Bb");
  EXPECT_THAT(connection.ReadAll(), HasSubstr("\r\n\r\na+b"));
}

// Opens streams until one is refused; the connections hold the others open.
std::vector<Connection> FillStreams(const std::string& address) {
  std::vector<Connection> open;
  for (int i = 0; i < kStreamsMax; ++i) {
    open.emplace_back(address);
    open.back().Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(open.back().ReadSome(), StartsWith("HTTP/1.1 200"));
  }
  return open;
}

TEST_F(HttpServerTest, OpenStreamsStarveNoProbeAndOneTooManyIsToldToComeBack) {
  const std::vector<Connection> open = FillStreams(address());
  const Connection one_more(address());
  one_more.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string refused = one_more.ReadSome();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 5"));
  EXPECT_THAT(Get(address(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, APeerThatLeavesGivesItsStreamBack) {
  FillStreams(address());
  for (int i = 0; i < 1000 && streams > 0; ++i) usleep(10'000);
  EXPECT_EQ(streams, 0);
  const Connection connection(address());
  connection.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(connection.ReadSome(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, EndsThoughStreamsAreOpen) {
  const std::vector<Connection> open = FillStreams(address());
  server.reset();
  EXPECT_EQ(streams, 0);
}

TEST_F(HttpServerTest, APortInUseIsToldWithItsAddress) {
  const absl::Status status = HttpServer::Start(address(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(address()));
}

TEST_F(HttpServerTest, EndsAtOnceHoweverEarlyItIsToldTo) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(HttpServer::Start("127.0.0.1:0", {}).ok());
}

TEST_F(HttpServerTest, ItsPortIsFreeAgainWhenItIsGone) {
  const std::string old = address();
  EXPECT_THAT(Get(old, "/healthz"), StartsWith("HTTP/1.1 200"));
  server.reset();
  EXPECT_FALSE(Connection(old).connected());
  EXPECT_TRUE(HttpServer::Start(old, {}).ok());
}

TEST(HttpServer, WhatIsNoAddressIsInvalid) {
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", ":9"}) {
    const absl::Status status = HttpServer::Start(address, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("\"", address, "\"")));
  }
}

TEST(HttpServer, AnAddressOfAnotherMachineCannotBeBound) {
  const absl::Status status = HttpServer::Start("192.0.2.1:0", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("192.0.2.1:0"));
}

}  // namespace
}  // namespace cairn
