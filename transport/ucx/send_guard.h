// Lets UCX hear from its reading side, never from a send, that a TCP peer is gone: its order of the
// two ends a process by an assertion (docs/transports.md, "Known limits").
#ifndef CAIRN_TRANSPORT_UCX_SEND_GUARD_H_
#define CAIRN_TRANSPORT_UCX_SEND_GUARD_H_

#include <sys/types.h>

#include <absl/status/status.h>

namespace cairn {

// From now on libucs sends by a function of ours, in the whole process. Idempotent; any thread.
// kNotFound: libucs is not loaded as a library, or does not send by libc's functions.
absl::Status GuardUcxSends();

// What a send returned, as UCX is told: a peer that is gone is a socket that takes nothing now. The
// reading side meets the end as soon as it has read what came before. After kRefusalsMax of one
// descriptor in a row it is told the truth, for it waits for some sends in a loop. Sets errno.
inline constexpr int kSendRefusalsMax = 64;
ssize_t TellOfSend(int descriptor, ssize_t sent, int error);

// While it lives, this thread's sends are told as they are. For the answer that refuses a peer: UCX
// sends it once, and keeps the socket of a peer that is gone for good unless it hears so then.
class TruthfulSends {
 public:
  TruthfulSends();
  ~TruthfulSends();
  TruthfulSends(const TruthfulSends&) = delete;
  TruthfulSends& operator=(const TruthfulSends&) = delete;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_UCX_SEND_GUARD_H_
