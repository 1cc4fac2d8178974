#include "transport/ucx/tcp_listener_end.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <ucs/async/async_fwd.h>

#include <absl/status/statusor.h>
#include <absl/synchronization/notification.h>

#include "base/event_fd.h"
#include "base/handle.h"
#include "transport/ucx/tcp_sockets.h"

namespace cairn {
namespace {

// A batch of events that UCX's thread has fetched is over when it gets to one that came later.
void AwaitTurnOfUcxThread() {
  absl::StatusOr<EventFd> event = EventFd::Create();
  if (!event.ok()) return;
  event->Signal();
  absl::Notification turn;
  const auto tell = [](int descriptor, ucs_event_set_types_t, void* waiting) {
    eventfd_t signals = 0;
    if (eventfd_read(descriptor, &signals) != 0) return;
    static_cast<absl::Notification*>(waiting)->Notify();
  };
  if (ucs_async_set_event_handler(UCS_ASYNC_MODE_THREAD_SPINLOCK, event->fd(), UCS_EVENT_SET_EVREAD,
                                  tell, &turn, nullptr) != UCS_OK) {
    return;
  }
  turn.WaitForNotification();
  ucs_async_remove_handler(event->fd(), /*sync=*/1);
}

}  // namespace

void StopAccepting(const sockaddr_in& address) {
  const int listener = FindListener(address);
  if (listener < 0 || ucs_async_modify_handler(listener, 0) != UCS_OK) return;
  AwaitTurnOfUcxThread();
}

size_t EndAccepted(const sockaddr_in& address) {
  size_t left = 0;
  const int end = DescriptorsEnd();
  for (int descriptor = 0; descriptor < end; ++descriptor) {
    if (!IsAccepted(descriptor, address)) continue;
    const FileDescriptor ours = Duplicate(descriptor);
    if (!ours || !IsAccepted(ours.get(), address)) continue;
    // The reading side only: a request that has come is refused by an answer.
    shutdown(ours.get(), SHUT_RD);
    ++left;
  }
  return left;
}

}  // namespace cairn
