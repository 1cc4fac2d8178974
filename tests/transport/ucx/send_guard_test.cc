// UCX's own send functions, over real sockets, while the peer goes away.
#include "transport/ucx/send_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "base/check.h"

extern "C" {
#include <ucs/sys/sock.h>
}

namespace cairn {
namespace {

// A connection over loopback whose far end closes with what it was sent unread: a reset.
struct GoneConnection {
  GoneConnection() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CAIRN_CHECK(bind(listener, generic, size) == 0 && listen(listener, 1) == 0);
    CAIRN_CHECK(getsockname(listener, generic, &size) == 0);
    near = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CAIRN_CHECK(connect(near, generic, size) == 0 || errno == EINPROGRESS);
    const int far = accept(listener, nullptr, nullptr);
    CAIRN_CHECK(far >= 0 && send(near, "unread", 6, 0) == 6);
    CAIRN_CHECK(send(far, "last", 4, 0) == 4);
    close(far);
    close(listener);
  }
  ~GoneConnection() { close(near); }

  ucs_status_t Send() const {
    size_t size = 5;
    return ucs_socket_send_nb(near, "bytes", &size);
  }
  ucs_status_t SendPieces() const {
    iovec pieces[] = {{const_cast<char*>("two"), 3}, {const_cast<char*>("pieces"), 6}};
    size_t size = 0;
    return ucs_socket_sendv_nb(near, pieces, 2, &size);
  }
  std::string Receive() const {
    std::array<char, 16> bytes;
    size_t size = bytes.size();
    const ucs_status_t status = ucs_socket_recv_nb(near, bytes.data(), &size);
    return status == UCS_OK ? std::string(bytes.data(), size) : ucs_status_string(status);
  }

  int near = -1;
};

TEST(SendGuard, APeerThatIsGoneIsHeardOfByReading) {
  ASSERT_TRUE(GuardUcxSends().ok());
  ASSERT_TRUE(GuardUcxSends().ok()) << "idempotent";
  const GoneConnection connection;
  EXPECT_EQ(connection.Send(), UCS_ERR_NO_PROGRESS);
  EXPECT_EQ(connection.SendPieces(), UCS_ERR_NO_PROGRESS);
  EXPECT_EQ(connection.Receive(), "last") << "what came before the end is read first";
  EXPECT_EQ(connection.Send(), UCS_ERR_NO_PROGRESS);
  EXPECT_NE(connection.Receive(), ucs_status_string(UCS_ERR_NO_PROGRESS)) << "then the end is";
}

TEST(SendGuard, WhoSendsInALoopIsToldInTheEnd) {
  ASSERT_TRUE(GuardUcxSends().ok());
  const GoneConnection connection;
  int refused = 0;
  ucs_status_t status = UCS_ERR_NO_PROGRESS;
  while (status == UCS_ERR_NO_PROGRESS && refused <= 2 * kSendRefusalsMax) {
    status = connection.Send();
    ++refused;
  }
  EXPECT_GT(refused, 1);
  EXPECT_LE(refused, kSendRefusalsMax + 1);
  EXPECT_NE(status, UCS_OK);
}

TEST(SendGuard, WhoAsksForTheTruthIsToldAtOnce) {
  ASSERT_TRUE(GuardUcxSends().ok());
  const GoneConnection connection;
  {
    const TruthfulSends truthful;
    EXPECT_EQ(connection.Send(), UCS_ERR_CONNECTION_RESET);
  }
  EXPECT_EQ(connection.Send(), UCS_ERR_NO_PROGRESS);
}

TEST(SendGuard, WhatWasSentAndOtherErrorsAreToldAsTheyAre) {
  EXPECT_EQ(TellOfSend(7, 5, 0), 5);
  EXPECT_EQ(TellOfSend(7, -1, EAGAIN), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(TellOfSend(7, -1, EMSGSIZE), -1);
  EXPECT_EQ(errno, EMSGSIZE);
}

TEST(SendGuard, ASendThatWentWellBeginsTheCountAnew) {
  for (int i = 0; i < kSendRefusalsMax; ++i) {
    TellOfSend(7, -1, EPIPE);
    EXPECT_EQ(errno, EAGAIN) << i;
  }
  EXPECT_EQ(TellOfSend(7, 5, 0), 5);
  TellOfSend(7, -1, EPIPE);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace cairn
