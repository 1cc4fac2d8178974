#include "base/event_fd.h"

#include <poll.h>

#include <gtest/gtest.h>

namespace cairn {
namespace {

bool IsReadable(const EventFd& event) {
  pollfd entry{.fd = event.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) == 1;
}

TEST(EventFd, IsReadableFromSignalToDrain) {
  EventFd event = *EventFd::Create();
  EXPECT_FALSE(IsReadable(event));
  event.Signal();
  event.Signal();
  EXPECT_TRUE(IsReadable(event));
  event.Drain();
  EXPECT_FALSE(IsReadable(event));
}

TEST(EventFd, DrainWithoutSignalDoesNotBlock) {
  EventFd event = *EventFd::Create();
  event.Drain();
  EXPECT_FALSE(IsReadable(event));
}

}  // namespace
}  // namespace cairn
