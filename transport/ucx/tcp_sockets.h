// UCX keeps its TCP sockets to itself: what this process's table of descriptors says about them.
#ifndef CAIRN_TRANSPORT_UCX_TCP_SOCKETS_H_
#define CAIRN_TRANSPORT_UCX_TCP_SOCKETS_H_

#include <netinet/in.h>

#include <optional>

#include "base/handle.h"

namespace cairn {

// Any thread. UCX's may close a descriptor at any moment and someone else be given its number: who
// changes a socket asks about a duplicate of the descriptor first.

// No descriptor is as high: the size of their table, at most double what was ever open at once.
// Counting through it costs less than listing /proc/self/fd: 0.7 ms against 1 ms for 1,000 sockets.
int DescriptorsEnd();

// nullopt: no IPv4 socket, or none that is connected.
std::optional<sockaddr_in> PeerAddressOf(int descriptor);

bool SameAddress(const sockaddr_in& a, const sockaddr_in& b);

// The socket that listens at `address`; -1: none.
int FindListener(const sockaddr_in& address);

// Whether the listener of `address` accepted it.
bool IsAccepted(int descriptor, const sockaddr_in& address);

// Null if there is no such descriptor.
FileDescriptor Duplicate(int descriptor);

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_UCX_TCP_SOCKETS_H_
