// Keeps bytes that are no connection request away from UCX's TCP connection manager, which asserts
// on some of them (docs/transports.md, "Known limits").
#ifndef CAIRN_TRANSPORT_UCX_TCP_LISTENER_GUARD_H_
#define CAIRN_TRANSPORT_UCX_TCP_LISTENER_GUARD_H_

#include <netinet/in.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace cairn {

// A packet filter on the listening socket, which every accepted socket inherits: the kernel drops
// each segment that carries anything but one whole connection request of a peer that names our
// client id. Dropped bytes were never received, so the sender repeats them. A request fits the
// smallest segment of TCP over IPv4 (536 bytes) and is written at once, hence is never divided on
// its way; if it was written in pieces, the sender's kernel joins them when it repeats them.
//
// A thread looks at the sockets once in a period and aborts those which brought no request in
// kPeriodsMax of them: nobody else would notice that nothing arrived. The filter on a socket is the
// only mark that its request is still to come.
class TcpListenerGuard {
 public:
  static constexpr int kPeriodsMax = 5;  // a peer sends its request as soon as it is connected

  // Guards this process's socket that listens at `address`, from now on. kNotFound: there is none.
  // kUnimplemented: the kernel refuses the filter.
  static absl::StatusOr<std::unique_ptr<TcpListenerGuard>> Create(
      const sockaddr_in& address, uint64_t client_id, absl::Duration period = absl::Seconds(1));
  // The listener may be closed before or after.
  ~TcpListenerGuard();
  TcpListenerGuard(const TcpListenerGuard&) = delete;
  TcpListenerGuard& operator=(const TcpListenerGuard&) = delete;

  // The request of `peer` has been read: from now on its socket receives everything. Before the
  // peer gets an answer, since what it sends next is no request. False: no such socket is waiting,
  // so refuse the peer. One thread. Tens of microseconds where descriptors were given in order,
  // else up to 1 ms for each thousand of them.
  bool Admit(const sockaddr_in& peer);

 private:
  using PeriodsByPeer = absl::flat_hash_map<uint64_t, int>;

  TcpListenerGuard(const sockaddr_in& address, absl::Duration period);
  // Accepted, filter still on.
  bool IsWaiting(int descriptor) const;
  void SweepUntilStopped();
  void Sweep();
  void AbortIfWaiting(int descriptor) const;

  const sockaddr_in address_;
  const absl::Duration period_;
  int last_admitted_ = 0;  // descriptor; the next one is likely a little above
  PeriodsByPeer waiting_;  // the sweeping thread's; as many as sockets wait
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread sweeper_;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_UCX_TCP_LISTENER_GUARD_H_
