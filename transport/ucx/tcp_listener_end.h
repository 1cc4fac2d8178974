// What has to be over before UCX's TCP listener is destroyed: its sockets that brought no request
// yet keep a pointer to it, and UCX's thread follows it when they do (docs/transports.md, "Known
// limits").
#ifndef CAIRN_TRANSPORT_UCX_TCP_LISTENER_END_H_
#define CAIRN_TRANSPORT_UCX_TCP_LISTENER_END_H_

#include <netinet/in.h>

#include <cstddef>

namespace cairn {

// From now on UCX's thread accepts no connection at `address`; what it missed meanwhile, the next
// ucp_worker_progress accepts. Waits for what that thread is at. Not from UCX's callbacks. No
// listener at `address`, as on lanes without TCP: does nothing.
void StopAccepting(const sockaddr_in& address);

// Lets UCX's thread read the end of every socket accepted at `address`, behind what has come, and
// returns how many are left. After StopAccepting, when no endpoint is on one of them: UCX closes
// each, or tells its request once more. Takes as long as TcpListenerGuard::Admit.
size_t EndAccepted(const sockaddr_in& address);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_UCX_TCP_LISTENER_END_H_
