#include "transport/ucx/tcp_listener_guard.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/handle.h"
#include "transport/ucx/tcp_sockets.h"

namespace cairn {
namespace {

// UCX 1.13's request, uct_tcp_sockcm_priv_data_hdr_t and what ucp_cm_ep_priv_data_pack() appends:
//   request  := length:u64le status:u8 pad:7B private    length: bytes of private; status: 0
//   private  := ep_id:u64 error_mode:u8 address_mode:u8 device:u8 address
//   address  := version_and_flags:u8 client_id:u64le rest
constexpr uint32_t kHeaderBytes = 16;
constexpr uint32_t kStatusOffset = 8;
constexpr uint32_t kClientIdOffset = kHeaderBytes + 11 + 1;

// As the filter sees four bytes: big-endian.
uint32_t WordAt(uint64_t little_endian, size_t offset) {
  uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const char*>(&little_endian) + offset, sizeof(word));
  return ntohl(word);
}

sock_filter Do(uint32_t code, uint32_t operand = 0) {
  return {static_cast<uint16_t>(code), 0, 0, operand};
}

// Jumps to one of the last two instructions; MakeFilter sets the distance.
constexpr uint8_t kFar = UINT8_MAX;
sock_filter DropUnless(uint32_t operand) { return {BPF_JMP | BPF_JEQ | BPF_K, 0, kFar, operand}; }
sock_filter PassIf(uint32_t operand) { return {BPF_JMP | BPF_JEQ | BPF_K, kFar, 0, operand}; }

// Sees a segment from its TCP header on; a load behind its end drops it. X: where the payload
// begins.
std::vector<sock_filter> MakeFilter(uint64_t client_id) {
  constexpr uint32_t kByte = BPF_LD | BPF_B | BPF_IND;
  constexpr uint32_t kHalf = BPF_LD | BPF_H | BPF_IND;
  constexpr uint32_t kWord = BPF_LD | BPF_W | BPF_IND;
  std::vector<sock_filter> program = {
      Do(BPF_LD | BPF_B | BPF_ABS, 12),
      Do(BPF_ALU | BPF_AND | BPF_K, 0xf0),
      Do(BPF_ALU | BPF_RSH | BPF_K, 2),
      Do(BPF_MISC | BPF_TAX),
      Do(BPF_LD | BPF_W | BPF_LEN),
      Do(BPF_ALU | BPF_SUB | BPF_X),
      Do(BPF_ST, 0),  // payload bytes
      PassIf(0),      // connecting, acknowledging, closing
      Do(kHalf, 2),
      DropUnless(0),  // no request has 64 KiB
      Do(kWord, 4),
      DropUnless(0),
      Do(kByte, kStatusOffset),
      DropUnless(0),
      Do(kWord, kClientIdOffset),
      DropUnless(WordAt(client_id, 0)),
      Do(kWord, kClientIdOffset + 4),
      DropUnless(WordAt(client_id, 4)),
      Do(kByte, 1),
      Do(BPF_ALU | BPF_LSH | BPF_K, 8),
      Do(BPF_ST, 1),
      Do(kByte, 0),
      Do(BPF_LDX | BPF_W | BPF_MEM, 1),
      Do(BPF_ALU | BPF_ADD | BPF_X),
      Do(BPF_ALU | BPF_ADD | BPF_K, kHeaderBytes),
      Do(BPF_LDX | BPF_W | BPF_MEM, 0),
      Do(BPF_ALU | BPF_SUB | BPF_X),
      DropUnless(0),
      Do(BPF_RET | BPF_K, UINT32_MAX),  // the whole segment
      Do(BPF_RET | BPF_K, 0),
  };
  const size_t drop = program.size() - 1;
  for (size_t i = 0; i < drop; ++i) {
    if (program[i].jf == kFar) program[i].jf = static_cast<uint8_t>(drop - i - 1);
    if (program[i].jt == kFar) program[i].jt = static_cast<uint8_t>(drop - i - 2);
  }
  return program;
}

// Instructions of the filter on a socket; 0: none, or no socket.
socklen_t FilterLength(int descriptor) {
  socklen_t instructions = 0;
  const int result = getsockopt(descriptor, SOL_SOCKET, SO_GET_FILTER, nullptr, &instructions);
  return result == 0 ? instructions : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpListenerGuard>> TcpListenerGuard::Create(
    const sockaddr_in& address, uint64_t client_id, absl::Duration period) {
  const int listener = FindListener(address);
  if (listener < 0) {
    return absl::NotFoundError(
        absl::StrCat("no socket of this process listens at port ", ntohs(address.sin_port)));
  }
  std::vector<sock_filter> program = MakeFilter(client_id);
  const sock_fprog filter{static_cast<uint16_t>(program.size()), program.data()};
  if (setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0 ||
      FilterLength(listener) != filter.len) {
    return absl::UnimplementedError(
        absl::StrCat("the kernel refuses a packet filter: ", std::strerror(errno)));
  }
  return std::unique_ptr<TcpListenerGuard>(new TcpListenerGuard(address, period));
}

TcpListenerGuard::TcpListenerGuard(const sockaddr_in& address, absl::Duration period)
    : address_(address), period_(period), sweeper_([this] { SweepUntilStopped(); }) {}

TcpListenerGuard::~TcpListenerGuard() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  sweeper_.join();
}

bool TcpListenerGuard::IsWaiting(int descriptor) const {
  return FilterLength(descriptor) != 0 && IsAccepted(descriptor, address_);
}

bool TcpListenerGuard::Admit(const sockaddr_in& peer) {
  const int end = DescriptorsEnd();
  for (int i = 1; i <= end; ++i) {
    const int descriptor = (last_admitted_ + i) % end;
    const std::optional<sockaddr_in> remote = PeerAddressOf(descriptor);
    if (!remote.has_value() || !SameAddress(*remote, peer) || !IsWaiting(descriptor)) continue;
    last_admitted_ = descriptor;
    const int unused = 0;  // setsockopt wants an int for every option
    return setsockopt(descriptor, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) == 0;
  }
  return false;
}

void TcpListenerGuard::SweepUntilStopped() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!wake_.wait_for(lock, absl::ToChronoNanoseconds(period_), [this] { return stopping_; })) {
    Sweep();
  }
}

void TcpListenerGuard::Sweep() {
  PeriodsByPeer waiting;
  const int end = DescriptorsEnd();
  for (int descriptor = 0; descriptor < end; ++descriptor) {
    if (!IsWaiting(descriptor)) continue;
    const std::optional<sockaddr_in> peer = PeerAddressOf(descriptor);
    if (!peer.has_value()) continue;  // reset; its owner hears of that
    const uint64_t name = uint64_t{peer->sin_addr.s_addr} << 16 | peer->sin_port;
    const auto before = waiting_.find(name);
    const int periods = before == waiting_.end() ? 1 : before->second + 1;
    waiting[name] = periods;
    if (periods >= kPeriodsMax) AbortIfWaiting(descriptor);
  }
  waiting_ = std::move(waiting);
}

void TcpListenerGuard::AbortIfWaiting(int descriptor) const {
  const FileDescriptor ours = Duplicate(descriptor);
  if (!ours || !IsWaiting(ours.get())) return;
  const linger reset{1, 0};
  setsockopt(ours.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  shutdown(ours.get(), SHUT_RDWR);  // UCX reads the end and closes
}

}  // namespace cairn
